package remote

import (
	"testing"
	"time"
)

// Whatever a list says, each video comes once, with an ID that can be a file name, a size that a file can have, and a place
// that is complete or missing.
func FuzzList(f *testing.F) {
	f.Add([]byte(`{"code":"0000","data":{"current_page":1,"page_size":20,"total_count":2,"videos":[{"video_no":"VI6","video_name":"a","size":3284512,"create_time":1754037217992,"datetime_taken":1729388400000,"bucket":"b","blob":"VI6.mp4"},{"video_no":6,"size":"1e3"},null,7]}}`))
	f.Add([]byte(`{"data":{"total_count":"3","videos":[{"video_no":"../x","blob":"a/b.c/.mp4"},{"video_no":"\u202e","size":-1}]}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		answer, err := parseList(body)
		if err != nil {
			return
		}
		p := &pass{started: time.Now(), met: map[string]struct{}{}, total: -1}
		met := map[string]bool{}
		for range 3 {
			videos, more := p.take(answer)
			for _, v := range videos {
				if met[v.ID] || !usableID(v.ID) || v.Name == "" || v.Size < -1 || v.Size == 0 || v.Size > maxSize || (v.Bucket == "") != (v.Blob == "") {
					t.Errorf("%+v", v)
				}
				met[v.ID] = true
			}
			if !more {
				break
			}
		}
		if p.list.Pages > 1 && len(answer.Videos) > 0 && !p.list.Shifted && len(met) > 0 {
			t.Errorf("the same page twice, and nothing said of it: %+v", p.list)
		}
	})
}
