package fakeapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"time"
)

// maxControl bounds the body of a control request, in bytes.
const maxControl = 64 << 20

// Control returns a handler with which a shell script can set up the server by curl. It
// gives access to this user's files, so serve it only on loopback, in tests.
//
//	PUT    /asset      an Asset as a JSON object; its bytes may be given by "Text",
//	                   "Base64" or "File" (a path), which also give the Size
//	GET    /asset/ID   the asset
//	DELETE /asset/ID
//	PUT    /video      a Video, likewise
//	DELETE /video/ID
//	PUT    /videos     {"Scope": "s", "First": 0, "Count": 1000}: that many SampleVideos
//	GET    /scopes     all scopes
//	PUT    /config     a Config; fields that are not given keep their value
//	GET    /config
//	GET    /requests   a list of Request
//	GET    /billed     {"Billed": bytes, "Acknowledged": bytes}
//	GET    /refused    {"download": requests, "metadata": requests, "list": requests} beyond the limits
//	GET    /idle       answers once no request is running
//	POST   /reset      ResetLog
//
// POST works like PUT. Names are those of the Go fields, in any case; durations are strings
// such as "20ms". An invalid request is answered with 400 and a line of text.
func (s *Server) Control() http.Handler {
	mux := http.NewServeMux()
	handle := func(pattern string, f func(w http.ResponseWriter, r *http.Request) error) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			r.Body = http.MaxBytesReader(w, r.Body, maxControl)
			if err := f(w, r); err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
			}
		})
	}
	for _, method := range []string{http.MethodPut, http.MethodPost} {
		handle(method+" /asset", s.controlPut)
		handle(method+" /video", s.controlVideo)
		handle(method+" /videos", s.controlVideos)
		handle(method+" /config", s.controlConfigure)
	}
	handle("GET /config", func(w http.ResponseWriter, _ *http.Request) error {
		return answer(w, configOf(s.Config()))
	})
	handle("GET /asset/{id}", func(w http.ResponseWriter, r *http.Request) error {
		a, ok := s.Asset(r.PathValue("id"))
		if !ok {
			return &controlError{"no such asset", r.PathValue("id")}
		}
		return answer(w, a)
	})
	handle("DELETE /asset/{id}", func(_ http.ResponseWriter, r *http.Request) error {
		s.Delete(r.PathValue("id"))
		return nil
	})
	handle("DELETE /video/{id}", func(_ http.ResponseWriter, r *http.Request) error {
		s.DeleteVideo(r.PathValue("id"))
		return nil
	})
	handle("GET /scopes", func(w http.ResponseWriter, _ *http.Request) error { return answer(w, s.Scopes()) })
	handle("GET /requests", func(w http.ResponseWriter, _ *http.Request) error { return answer(w, s.Requests()) })
	handle("GET /billed", func(w http.ResponseWriter, _ *http.Request) error {
		acknowledged := s.Acknowledged() // first, so that it is never more than Billed
		return answer(w, map[string]int64{"Billed": s.Billed(), "Acknowledged": acknowledged})
	})
	handle("GET /refused", func(w http.ResponseWriter, _ *http.Request) error {
		return answer(w, map[string]int{opDownload: s.Refused(opDownload), opMetadata: s.Refused(opMetadata), opList: s.Refused(opList)})
	})
	handle("GET /idle", func(_ http.ResponseWriter, r *http.Request) error { return s.WaitIdle(r.Context()) })
	handle("POST /reset", func(http.ResponseWriter, *http.Request) error {
		s.ResetLog()
		return nil
	})
	return mux
}

// controlError is the error of an impossible control request.
type controlError struct{ problem, subject string }

func (e *controlError) Error() string { return e.problem + ": " + e.subject }

// assetJSON is an asset with readable durations and its bytes.
type assetJSON struct {
	assetFields
	StaleFor, ReadyAfter duration

	Text   *string
	Base64 []byte
	File   string
}

func (s *Server) controlPut(_ http.ResponseWriter, r *http.Request) error {
	var j assetJSON
	if err := decode(r, &j); err != nil {
		return err
	}
	a, err := j.complete()
	if err != nil {
		return err
	}
	s.Put(a)
	return nil
}

// complete returns the asset with its bytes.
func (j *assetJSON) complete() (Asset, error) {
	a := j.asset()
	if a.ID == "" {
		return a, &controlError{"an asset needs", "ID"}
	}
	if err := a.Check(); err != nil {
		return a, err
	}
	b := j.Base64
	switch {
	case j.Text != nil:
		b = []byte(*j.Text)
	case j.File != "":
		var err error
		if b, err = os.ReadFile(j.File); err != nil {
			return a, err
		}
	}
	if b != nil {
		a.Content, a.Size = bytes.NewReader(b), int64(len(b))
	}
	return a, nil
}

// asset returns the asset without the bytes.
func (j *assetJSON) asset() Asset {
	a := Asset(j.assetFields)
	a.StaleFor, a.ReadyAfter = time.Duration(j.StaleFor), time.Duration(j.ReadyAfter)
	return a
}

func (s *Server) controlConfigure(_ http.ResponseWriter, r *http.Request) error {
	var body json.RawMessage
	if err := decode(r, &body); err != nil {
		return err
	}
	var err error
	s.Configure(func(c *Config) {
		// Slices are decoded in place, and the old one may be in use.
		j := configOf(*c)
		j.Faults = nil
		if err = strictly(body, &j); err != nil {
			return
		}
		changed := Config(j.configFields)
		changed.Latency, changed.SendTimeout = time.Duration(j.Latency), time.Duration(j.SendTimeout)
		if changed.Faults == nil {
			changed.Faults = c.Faults
		}
		if err = changed.Check(); err == nil {
			*c = changed
		}
	})
	return err
}

// decode reads the body of r as one JSON value without unknown fields.
func decode(r *http.Request, v any) error {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	return d.Decode(v)
}

// strictly decodes b, without unknown fields.
func strictly(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	return d.Decode(v)
}

// answer sends v as JSON.
func answer(w http.ResponseWriter, v any) error {
	w.Header().Set("Content-Type", "application/json")
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// duration is a time.Duration that is "20ms" in JSON.
type duration time.Duration

// MarshalText writes d as time.Duration does.
func (d duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads what time.ParseDuration reads.
func (d *duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	*d = duration(v)
	return err
}

// These types drop the methods, and replace durations by readable ones.
type (
	assetFields  Asset
	configFields Config
	configJSON   struct {
		configFields
		Latency, SendTimeout duration
	}
	faultFields Fault
	faultJSON   struct {
		faultFields
		Delay, StallFor duration
	}
)

func configOf(c Config) configJSON {
	return configJSON{configFields(c), duration(c.Latency), duration(c.SendTimeout)}
}

// MarshalJSON writes a with readable durations.
func (a Asset) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		assetFields
		StaleFor, ReadyAfter duration
	}{assetFields(a), duration(a.StaleFor), duration(a.ReadyAfter)})
}

// UnmarshalJSON reads a with readable durations.
func (a *Asset) UnmarshalJSON(b []byte) error {
	var j assetJSON
	if err := strictly(b, &j); err != nil {
		return fmt.Errorf("asset: %w", err)
	}
	*a = j.asset()
	return nil
}

// MarshalJSON writes f with readable durations.
func (f Fault) MarshalJSON() ([]byte, error) {
	return json.Marshal(faultJSON{faultFields(f), duration(f.Delay), duration(f.StallFor)})
}

// UnmarshalJSON reads f with readable durations.
func (f *Fault) UnmarshalJSON(b []byte) error {
	var j faultJSON
	if err := strictly(b, &j); err != nil {
		return fmt.Errorf("fault: %w", err)
	}
	*f = Fault(j.faultFields)
	f.Delay, f.StallFor = time.Duration(j.Delay), time.Duration(j.StallFor)
	return nil
}
