package fakeapi

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"slices"
	"sync"
)

// Proxy is a user's HTTP proxy as an http.Handler: it tunnels CONNECT, forwards plain
// requests, or refuses both. All methods may be called at any time.
type Proxy struct {
	// Target is where all connections go, HOST:PORT; "" is where the client asks to go. It
	// must not be changed while the proxy serves.
	Target string

	mu      sync.Mutex // guards all fields below
	refusal int
	asked   []string
}

var _ http.Handler = (*Proxy)(nil)

// Refuse makes the proxy answer all further requests with this status, in plain text; 0, the
// default, does not. Open tunnels stay open.
func (p *Proxy) Refuse(status int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refusal = status
}

// Asked returns the requests to the proxy: "CONNECT example.com:443".
func (p *Proxy) Asked() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.asked)
}

// ServeHTTP answers one request. It returns when its tunnel has ended.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.asked = append(p.asked, r.Method+" "+r.RequestURI)
	refusal := p.refusal
	p.mu.Unlock()
	switch {
	case refusal != 0:
		if refusal == http.StatusProxyAuthRequired {
			w.Header().Set("Proxy-Authenticate", `Basic realm="proxy"`)
		}
		http.Error(w, "The proxy says: "+http.StatusText(refusal), refusal)
	case r.Method == http.MethodConnect:
		p.tunnel(w, r)
	case r.URL.Host == "":
		http.Error(w, "This is a proxy.", http.StatusBadRequest)
	default:
		p.forward(w, r)
	}
}

// forward forwards a plain request.
func (p *Proxy) forward(w http.ResponseWriter, r *http.Request) {
	forwarder := httputil.ReverseProxy{Rewrite: func(pr *httputil.ProxyRequest) {
		if p.Target != "" {
			pr.Out.URL.Host = p.Target
		}
	}}
	forwarder.ServeHTTP(w, r)
}

// tunnel connects the client to its target.
func (p *Proxy) tunnel(w http.ResponseWriter, r *http.Request) {
	target := p.Target
	if target == "" {
		target = r.Host
	}
	origin, err := new(net.Dialer).DialContext(r.Context(), "tcp", target)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer origin.Close()
	client, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotImplemented)
		return
	}
	defer client.Close()
	if _, err := io.WriteString(client, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		return
	}
	var wg sync.WaitGroup
	wg.Go(func() { pass(origin, buffered.Reader, client) })
	wg.Go(func() { pass(client, origin, origin) })
	wg.Wait()
}

// pass copies from a connection until it ends. It passes an orderly end on; any other end
// closes both connections.
func pass(to net.Conn, from io.Reader, conn net.Conn) {
	_, err := io.Copy(to, from)
	if half, ok := to.(interface{ CloseWrite() error }); ok {
		err = errors.Join(err, half.CloseWrite())
	}
	if err != nil {
		to.Close()
		conn.Close()
	}
}
