package fs

import (
	"testing"
	"testing/synctest"
	"time"

	"assetfs/fs/service"
	"assetfs/remote/fakeapi"
)

// What nobody lists any more can be freed by its ID, and is not listed for that.
func TestFreeUnlisted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newBubble(t, false, service.Options{}, fakeapi.Asset{ID: faultID, Size: 1 << 20, ETag: "auto"})
		defer w.end()
		w.server.Configure(func(c *fakeapi.Config) { c.Key = faultKey })
		for _, listedBefore := range []bool{true, false} { // in this mount
			w.mount()
			if listedBefore {
				w.fs.SetList([]string{faultID})
				w.readAs("cat", faultID, 0)
				time.Sleep(time.Minute) // its stream ends
			}
			w.fs.SetList(nil)
			if w.fs.Peek(faultID).Spooled == 0 {
				t.Errorf("listed before %t: nothing is in the spool", listedBefore)
			}
			if !listedBefore {
				if freed, later, err := w.fs.Free(faultID); freed == 0 || later || err != nil {
					t.Errorf("freed %d, later %t, %v", freed, later, err)
				}
				if _, _, err := w.fs.Free(faultID); err == nil {
					t.Error("what nobody lists and is not in the spool was found")
				}
			}
			if n := len(w.fs.Catalog.Entries()); n > 0 {
				t.Errorf("%d are listed", n)
			}
			w.unmount()
		}
	})
}
