package fakeapi

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// ServeHTTP answers one request. Any path prefix may come before the ID.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	op, id := s.route(r.URL)
	var list listRequest
	if op == opList && r.Method == http.MethodPost {
		list = readList(r)
		id = list.Scope
	}
	rec := s.begin(r, op, id)
	defer s.end(rec)
	cfg := s.Config()
	rp := portalReply(r, rec.req, cfg)
	if rp == nil {
		rp = s.refuse(r, rec, cfg)
	}
	if rp == nil {
		f := s.strike(op, id)
		if op == opList {
			rp = s.replyToList(r, rec.req, cfg, f, list)
		} else {
			rp = s.replyTo(r, rec.req, cfg, f)
		}
		rp.fault = f
		if rp.asset && !s.room(rec, cfg) {
			rp = pageReply(http.StatusServiceUnavailable)
		}
	}

	out := newWire(w, r, rp.raw)
	defer out.close()
	if !pause(out.ctx(), cfg.Latency+rp.fault.Delay) {
		return
	}
	s.send(out, rec, rp)
}

// route returns the kind of a request, and the ID it is about.
func (s *Server) route(u *url.URL) (op, id string) {
	if p, ok := placeOf(u); ok {
		return opDownload, s.locate(p)
	}
	if isList(u.Path) {
		return opList, ""
	}
	parts := strings.Split(strings.Trim(u.Path, "/"), "/")
	if len(parts) < 2 {
		return opOther, ""
	}
	before, last := parts[len(parts)-2], parts[len(parts)-1]
	switch {
	case last == opDownload || last == opMetadata:
		return last, before
	case slices.Contains(parts[:len(parts)-1], opStorage):
		return opStorage, last
	}
	return opOther, ""
}

// pause waits for d, and returns false if ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// portalReply returns the answer of the captive portal, nil if there is none.
func portalReply(r *http.Request, rq Request, cfg Config) *reply {
	switch {
	case cfg.Portal == 0:
		return nil
	case cfg.Portal < 300 || cfg.Portal > 399:
		return pageReply(cfg.Portal)
	case r.URL.Query().Has("portal"):
		return pageReply(http.StatusOK)
	}
	path, _, _ := strings.Cut(rq.Path, "?")
	return redirectReply(cfg.Portal, path+"?portal", rq)
}

// refuse counts a request for the limits, and returns the refusal if it is beyond one. Such
// a request never reaches a fault.
func (s *Server) refuse(r *http.Request, rec *record, cfg Config) *reply {
	if r.Method != methodOf(rec.req.Op) || !knows(cfg, rec.req) {
		return nil
	}
	l, wait, ok := s.admit(rec)
	if ok {
		return nil
	}
	return refusal(cfg, l, wait)
}

// knows reports whether a request has a key of the account.
func knows(cfg Config, rq Request) bool {
	return cfg.Key == "" || slices.Contains(strings.Fields(cfg.Key), rq.Authorization)
}

// methodOf returns the only method that a kind of request allows.
func methodOf(op string) string {
	if op == opList {
		return http.MethodPost
	}
	return http.MethodGet
}

// notAllowed returns the answer to any other method.
func notAllowed(cfg Config, op string) *reply {
	rp := errorReply(cfg, http.StatusMethodNotAllowed, msgMethod)
	rp.header.Set("Allow", methodOf(op))
	return rp
}

// replyToList returns the answer to a list call.
func (s *Server) replyToList(r *http.Request, rq Request, cfg Config, f Fault, list listRequest) *reply {
	switch {
	case f.replaces():
		return replacement(r, rq, cfg, f, 0)
	case cfg.NoLibrary:
		return formReply(rq, cfg, Fault{Form: formGateway}, http.StatusNotFound)
	case rq.Method != http.MethodPost:
		return notAllowed(cfg, rq.Op)
	case !knows(cfg, rq):
		return errorReply(cfg, http.StatusUnauthorized, msgBadKey)
	}
	rp := s.listVideos(cfg, list)
	rp.decorate(r, f)
	return rp
}

// replyTo returns the answer to any other request.
func (s *Server) replyTo(r *http.Request, rq Request, cfg Config, f Fault) *reply {
	_, byPlace := placeOf(r.URL)
	a, known := s.look(rq.Op, rq.ID, byPlace, cfg)
	switch {
	case f.replaces():
		return replacement(r, rq, cfg, f, a.Size)
	case rq.Op == opOther, rq.Op == opMetadata && cfg.NoMetadata:
		return formReply(rq, cfg, Fault{Form: formGateway}, http.StatusNotFound)
	case rq.Method != http.MethodGet:
		return notAllowed(cfg, rq.Op)
	case rq.Op == opStorage:
		switch {
		case rq.HasAuthorization:
			return storageRefusal(http.StatusBadRequest, "InvalidArgument")
		case !strings.Contains(r.URL.RawQuery, "signature="): // RawQuery, because it may hold a bare %
			return storageRefusal(http.StatusForbidden, "AccessDenied")
		}
	case !knows(cfg, rq):
		return errorReply(cfg, http.StatusUnauthorized, msgBadKey)
	}
	switch {
	case !known:
		return errorReply(cfg, http.StatusBadRequest, missing(r))
	case rq.Op == opMetadata:
		return metadataReply(cfg, &a)
	case a.UploadStatus != "" && a.UploadStatus != uploaded:
		return errorReply(cfg, http.StatusBadRequest, msgNotUploaded+a.UploadStatus)
	case rq.Op == opDownload && cfg.Redirect != "":
		return redirectReply(http.StatusFound, cfg.Redirect, rq)
	}
	return download(r, &a, cfg, f)
}

// replacement returns the answer of a fault that replaces the normal one.
func replacement(r *http.Request, rq Request, cfg Config, f Fault, size int64) *reply {
	var rp *reply
	switch {
	case f.Hang:
		return &reply{special: hang}
	case f.Drop:
		return &reply{special: drop}
	case f.EndlessHeader:
		return &reply{special: endlessHeader, raw: true, status: http.StatusOK}
	case f.Redirect != "":
		status := f.Status
		if status == 0 {
			status = http.StatusFound
		}
		to := f.Redirect
		if to == "self" {
			to = rq.Path
		}
		rp = redirectReply(status, to, rq)
	default:
		rp = faultReply(rq, cfg, f, size)
	}
	if f.RetryAfter != "" {
		rp.header.Set("Retry-After", f.RetryAfter)
	}
	rp.decorate(r, f)
	return rp
}

// redirectReply redirects to a URL, which may hold "{id}".
func redirectReply(status int, to string, rq Request) *reply {
	rp := &reply{status: status, header: http.Header{}}
	rp.header.Set("Location", strings.ReplaceAll(to, "{id}", rq.ID))
	return rp
}

// storageRefusal returns the error of a storage host, for a request with a key or without a
// signature.
func storageRefusal(status int, code string) *reply {
	return textReply(status, "application/xml", []byte("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>"+code+"</Code></Error>\n"))
}
