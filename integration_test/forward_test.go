package integration_test

import (
	"net/http/httptest"
	"os"
	"strconv"
	"strings"

	"assetfs/remote/fakeapi"

	"github.com/rogpeppe/go-internal/testscript"
)

// forward is a user's proxy. Only it can resolve the name by which the API is reached, over TLS.
type forward struct {
	proxy          *fakeapi.Proxy
	served, origin *httptest.Server
}

// cmdForward implements
//
//	forward start          set $FORWARD, a base URL, and $HTTPS_PROXY, $HTTP_PROXY and $SSL_CERT_FILE
//	forward refuse STATUS  answer CONNECT with 407, 502, 503, ..., in plain text
//	forward allow          undo that
//	forward asked LIMIT    the number of connections requested since the start: [<=|>=|=]N
//	forward stop
func cmdForward(ts *testscript.TestScript, neg bool, args []string) {
	st := of(ts)
	const how = "forward start | refuse STATUS | allow | asked [<=|>=|=]N | stop, after api start"
	if neg || len(args) == 0 || st.api == nil || (args[0] == "start") != (st.forward == nil) {
		usage(ts, how)
	}
	switch verb := args[0]; {
	case verb == "start" && len(args) == 1:
		st.forward = startForward(ts, st.api)
	case verb == "refuse" && len(args) == 2:
		status, err := strconv.Atoi(args[1])
		ts.Check(err)
		st.forward.proxy.Refuse(status)
	case verb == "allow" && len(args) == 1:
		st.forward.proxy.Refuse(0)
	case verb == "asked" && len(args) == 2:
		if asked := st.forward.proxy.Asked(); !within(ts, int64(len(asked)), args[1]) {
			ts.Fatalf("%d, want %s:\n%s", len(asked), args[1], strings.Join(asked, "\n"))
		}
	case verb == "stop" && len(args) == 1:
		st.forward.stop()
		st.forward = nil
	default:
		usage(ts, how)
	}
}

func startForward(ts *testscript.TestScript, a *api) *forward {
	f := &forward{origin: httptest.NewTLSServer(a.handler())}
	f.proxy = &fakeapi.Proxy{Target: f.origin.Listener.Addr().String()}
	f.served = httptest.NewServer(f.proxy)
	dir := ts.MkAbs("forward")
	ts.Check(os.MkdirAll(dir, 0o700))
	ts.Check(writeCertificate(dir, f.origin.TLS.Certificates[0]))
	ts.Setenv("SSL_CERT_FILE", dir+"/proxy.pem")
	ts.Setenv("HTTPS_PROXY", f.served.URL)
	ts.Setenv("HTTP_PROXY", f.served.URL)
	ts.Setenv("FORWARD", "https://example.com"+basePath) // the certificate of httptest is for this name
	return f
}

// stop ends the proxy with its tunnels, and the API behind it.
func (f *forward) stop() {
	f.origin.CloseClientConnections()
	f.origin.Close()
	f.served.Close()
}
