package remote

import (
	"bufio"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
)

// inPieces returns a client of a server that sends each piece of its answer on its own, and then ends the connection.
func inPieces(t *testing.T, pieces ...string) *Client {
	t.Helper()
	return newTestClient(t, "http://api.test", Options{Dial: func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		go func() {
			lines := bufio.NewReader(far)
			for line := "-"; strings.TrimSpace(line) != ""; {
				line, _ = lines.ReadString('\n')
			}
			for _, p := range pieces {
				_, _ = io.WriteString(far, p)
			}
			_ = far.Close()
		}()
		return near, nil
	}})
}

const (
	springError  = `{"code":500,"msg":"Premature EOF of {the} \"storage\"","data":null,"success":false,"failed":true}`
	phpError     = "Fatal error:  Maximum execution time of 1 second exceeded in /x.php on line 9"
	gatewayError = `{"timestamp":"2026-11-27T06:53:56.279+00:00","path":"/serve","status":503,"error":"Service Unavailable","requestId":"1-2"}`
)

// A Spring application that fails in the middle of an asset appends its error object to what it has sent (measured with Tomcat
// and Jetty), and the connection ends. The object is no part of the asset, however the network cuts it into pieces.
func TestErrorAppendedToAsset(t *testing.T) {
	content := strings.Repeat("0123456789", 60) + `{"a":{"code":1}}{`
	for name, tc := range map[string]struct{ tail, code, msg string }{
		"the API's":         {springError, "500", `Premature EOF of {the} "storage"`},
		"the API's, pretty": {"{\r\n  \"success\" : false,\n  \"code\" : \"0500\",\n  \"msg\" : \"no\nstorage\" }\n", "0500", "no storage"},
		"the key in it":     {`{"code":401,"msg":"not ` + testKey + `"}`, "401", "not " + redacted},
		"nested":            {`{"code":500,"msg":"x","data":{"code":1,"message":"y"}}`, "500", "x"},
		"the gateway's":     {gatewayError, "503", "Service Unavailable"},
		"cut off itself":    {springError[:40], "", ""},
		"PHP's":             {"<br />\n<b>Fatal error</b>:  Maximum execution time of 1 second exceeded in <b>/x.php</b> on line <b>9</b><br />\n", "", phpError},
		"PHP's, plain":      {"\nFatal error: " + phpError[13:] + "\n", "", phpError},
	} {
		t.Run(name, func(t *testing.T) {
			head := reply(200, "Content-Disposition: attachment; filename=a.mp4\r\nContent-Length: 5000\r\n", "")
			part := reply(206, "Content-Disposition: attachment; filename=a.mp4\r\nContent-Length: 5000\r\nContent-Range: bytes 0-4999/9000\r\n", "")
			bare := reply(200, "Content-Length: 5000\r\n", "")
			for split := range len(tc.tail) + 1 {
				for _, pieces := range [][]string{
					{head, content, tc.tail[:split], tc.tail[split:]},
					{head, content + tc.tail[:split], tc.tail[split:]},
					{part + content, tc.tail[:split], tc.tail[split:]},
					{bare + content + tc.tail[:split], tc.tail[split:]},
				} {
					c := inPieces(t, pieces...)
					resp, err := c.Download(t.Context(), Request{ID: testID})
					if err != nil {
						t.Fatal(err)
					}
					b, err := io.ReadAll(resp.Body)
					_ = resp.Body.Close()
					var e *Error
					if string(b) != content || !errors.As(err, &e) || !errors.Is(err, io.ErrUnexpectedEOF) || e.Msg != tc.msg || e.Code != tc.code {
						t.Fatalf("split at %d: %q, %v", split, b, err)
					}
					if n, _ := e.Retry(); n >= 0 || e.Number() != 0 {
						t.Errorf("%v: %d requests, number %d", e, n, e.Number())
					}
					if got, want := c.Stats().Bytes, int64(len(content)+len(tc.tail)); got != want {
						t.Errorf("%d bytes counted, %d were sent", got, want)
					}
				}
			}
		})
	}
}

// An error may begin in the bytes that were looked at, and end behind them. Who reads little at a time gets none of it either.
func TestErrorAppendedEarly(t *testing.T) {
	content := strings.Repeat("0123456789", 50)
	c := inPieces(t, reply(200, "Content-Length: 5000\r\n", ""), content+springError)
	resp, err := c.Download(t.Context(), Request{ID: testID})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(iotest.OneByteReader(resp.Body))
	if e := failure(t, err); string(got) != content || e.Code != "500" {
		t.Errorf("%q, %v", got, err)
	}
}

// If the error is all that comes, although the header was written for the asset, it is the answer.
func TestErrorUnderHeaderOfAsset(t *testing.T) {
	for name, head := range map[string]string{
		"with its name": "Content-Disposition: attachment; filename=a.mp4\r\nContent-Length: 100000\r\n",
		"without":       "Content-Length: 100000\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			c := inPieces(t, reply(200, head, `{"code":402,"msg":"Insufficient balance","data":null}`))
			resp, err := c.Download(t.Context(), Request{ID: testID})
			if err == nil {
				_, err = resp.Body.Read(make([]byte, 10))
				_ = resp.Body.Close()
			}
			var e *Error
			if !errors.As(err, &e) || e.Number() != 402 || e.Msg != "Insufficient balance" {
				t.Errorf("got %v", err)
			}
		})
	}
}

// A server that sends chunks ends them as usual after the error: Tomcat when the time of an asynchronous answer is over, and Spring's
// error handler always. Behind bytes of a video that is no end. Behind text it may be a log's last line, and a success says nothing.
func TestErrorAppendedToChunks(t *testing.T) {
	const video, text = "\x00\x00\x00\x18ftypmp42\xe1\xff", "0123456789\n"
	const success = `{"code":200,"msg":"success","data":null,"success":true,"failed":false}`
	for name, tc := range map[string]struct {
		before, tail string
		cut          bool
	}{
		"error behind a video":   {video, springError, true},
		"gateway behind a video": {video, gatewayError, true},
		"error behind text":      {text, springError, false},
		"error behind nothing":   {"", springError, false},
		"success behind a video": {video, success, false},
	} {
		t.Run(name, func(t *testing.T) {
			all := tc.before + tc.tail
			for split := range len(all) + 1 {
				pieces := []string{reply(200, "Content-Disposition: attachment; filename=a\r\nTransfer-Encoding: chunked\r\n", "")}
				for _, p := range []string{all[:split], all[split:]} {
					if p != "" {
						pieces = append(pieces, strconv.FormatInt(int64(len(p)), 16)+"\r\n"+p+"\r\n")
					}
				}
				for _, pieces := range [][]string{append(pieces, "0\r\n\r\n"), {strings.Join(pieces, "") + "0\r\n\r\n"}} {
					c := inPieces(t, pieces...)
					resp, err := c.Download(t.Context(), Request{ID: testID})
					if err != nil {
						t.Fatal(err)
					}
					b, err := io.ReadAll(resp.Body)
					_ = resp.Body.Close()
					want := all
					if tc.cut {
						want = tc.before
					}
					if string(b) != want || errors.Is(err, io.ErrUnexpectedEOF) != tc.cut || err != nil && !tc.cut {
						t.Fatalf("split at %d: %q, %v", split, b, err)
					}
				}
			}
		})
	}
}

// What looks like an error is content if more follows, or if the asset ends with it.
func TestContentLikeAppendedError(t *testing.T) {
	words := []string{"{", "}", `"`, `{"code"`, `{"code":500,"msg":"x"}`, springError, gatewayError, "\nFatal error: ", "<br />\n<b>Fat", "0123456789", "\n", `{"data":[`, "]", strings.Repeat("z", 5000)}
	for range 300 {
		var content strings.Builder
		var pieces []string
		for range rand.N(8) {
			var p strings.Builder
			for range 1 + rand.N(4) {
				p.WriteString(words[rand.N(len(words))])
			}
			content.WriteString(p.String())
			pieces = append(pieces, p.String())
		}
		plain := reply(200, "Content-Disposition: attachment; filename=a\r\nContent-Length: "+strconv.Itoa(content.Len())+"\r\n", "")
		chunked := []string{reply(200, "Content-Disposition: attachment; filename=a\r\nTransfer-Encoding: chunked\r\n", "")}
		for _, p := range pieces {
			chunked = append(chunked, strconv.FormatInt(int64(len(p)), 16)+"\r\n"+p+"\r\n")
		}
		for _, answer := range [][]string{append([]string{plain}, pieces...), append(chunked, "0\r\n\r\n")} {
			c := inPieces(t, answer...)
			resp, err := c.Download(t.Context(), Request{ID: testID})
			if err != nil {
				t.Fatal(err)
			}
			var got []byte
			for err == nil {
				buf := make([]byte, 1+rand.N(1000))
				var n int
				n, err = resp.Body.Read(buf)
				got = append(got, buf[:n]...)
			}
			_ = resp.Body.Close()
			if string(got) != content.String() || !errors.Is(err, io.EOF) {
				t.Fatalf("%q: got %q, %v", pieces, got, err)
			}
		}
	}
}

// Programs that make the header first write an error under it, too. No film, picture or sound is JSON; a file of another kind may be.
func TestErrorInPlaceOfMedia(t *testing.T) {
	const refusal = `{"code":402,"msg":"Insufficient balance","data":null}`
	for name, tc := range map[string]struct {
		file, fields, body string
		chunked, isError   bool
	}{
		"film":                    {file: "a.mp4", fields: "Content-Type: application/json", body: refusal, isError: true},
		"film, by its type":       {file: "a.mp4", fields: "Content-Type: video/mp4", body: refusal, isError: true},
		"film, range":             {file: "a.mp4", fields: "Content-Range: bytes 0-52/53", body: refusal, isError: true},
		"no name, but a type":     {file: "", fields: "Content-Type: Video/MP4", body: refusal, isError: true},
		"picture":                 {file: "Ä.JPG", body: refusal, isError: true},
		"chunked JSON":            {file: "a.mp4", fields: "Content-Type: application/json;charset=UTF-8", body: refusal, chunked: true, isError: true},
		"gateway":                 {file: "a.mp3", body: `{"timestamp":"2026-01-01","path":"/serve/x","status":502,"error":"Bad Gateway","requestId":"1"}`, isError: true},
		"success without a film":  {file: "a.mp4", body: `{"code":"0000","msg":"success","data":null,"success":true}`, isError: true},
		"JSON file":               {file: "a.json", body: refusal},
		"unknown kind":            {file: "a", body: refusal},
		"some object":             {file: "a.mp4", body: `{"a":1}`},
		"page":                    {file: "a.mp4", body: "<!DOCTYPE html><html></html>"},
		"film of a few bytes":     {file: "a.mp4", body: "\x00\x00\x00\x18ftyp"},
		"empty film":              {file: "a.mp4", body: ""},
		"a part, which proves no": {file: "a.mp4", fields: "Content-Range: bytes 0-52/1000", body: refusal},
	} {
		t.Run(name, func(t *testing.T) {
			status, body, length := 200, tc.body, "Content-Length: "+strconv.Itoa(len(tc.body))
			if strings.Contains(tc.fields, "Content-Range") {
				status = 206
			}
			if tc.chunked {
				body, length = strconv.FormatInt(int64(len(body)), 16)+"\r\n"+body+"\r\n0\r\n\r\n", "Transfer-Encoding: chunked"
			}
			fields := "Content-Disposition: attachment; filename=\"" + tc.file + "\"\r\n" + length + "\r\n"
			if tc.fields != "" {
				fields += tc.fields + "\r\n"
			}
			c, _ := raw(t, reply(status, fields, body))
			resp, err := c.Download(t.Context(), Request{ID: testID})
			var e *Error
			switch {
			case tc.isError && !errors.As(err, &e):
				t.Errorf("no error but %+v, %v", resp, err)
			case !tc.isError && err != nil:
				t.Error(err)
			case err == nil:
				b, err := io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				if err != nil || string(b) != tc.body {
					t.Errorf("read %q, %v", b, err)
				}
			}
		})
	}
}
