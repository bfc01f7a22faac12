package integration_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// proxy is nginx with the configuration of fs/cli/docs/team.md, in front of a script's API. Both its sides speak TLS.
type proxy struct {
	origin *httptest.Server // the API, as nginx sees it
	cmd    *exec.Cmd
	exited chan struct{} // closed after Wait
}

// cmdProxy implements "proxy start [noslice]" and "proxy stop".
func cmdProxy(ts *testscript.TestScript, neg bool, args []string) {
	st := of(ts)
	what := strings.Join(args, " ")
	switch {
	case !neg && what == "stop" && st.proxy != nil:
		ts.Check(st.proxy.stop())
		st.proxy = nil
	case !neg && (what == "start" || what == "start noslice") && st.api != nil && st.proxy == nil:
		port, err := freePort()
		ts.Check(err)
		st.proxy = &proxy{exited: make(chan struct{})}
		ts.Check(st.proxy.start(st.api, ts.MkAbs("proxy"), port, what == "start"))
		ts.Setenv("PROXY", "https://127.0.0.1:"+port+basePath)
		ts.Setenv("SSL_CERT_FILE", ts.MkAbs("proxy/proxy.pem"))
	default:
		usage(ts, "proxy start [noslice] | stop, after api start")
	}
}

// start runs nginx with its files in dir, and returns when it answers at port.
func (p *proxy) start(a *api, dir, port string, slice bool) error {
	api := a.handler()
	p.origin = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// These would keep nginx from sharing answers, although it checks each user.
		w.Header().Set("Cache-Control", "private, no-store")
		w.Header().Set("Vary", "*")
		w.Header().Set("Set-Cookie", "session=1")
		api.ServeHTTP(w, r)
	}))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	// The certificate of httptest is self-signed, for 127.0.0.1 and example.com.
	if err := writeCertificate(dir, p.origin.TLS.Certificates[0]); err != nil {
		return err
	}
	config, err := guideBlock("nginx configuration")
	if err != nil {
		return err
	}
	sliced := "slice 1m;" // so that small assets have several slices
	if !slice {
		sliced = ""
	}
	const host = "mavi-backend.memories.ai"
	for _, swap := range [][2]string{
		{host + ":443", p.origin.Listener.Addr().String()},
		{host, "example.com"},
		{"listen 443", "listen 127.0.0.1:" + port},
		{"/etc/nginx", dir},
		{"/etc/ssl/certs/ca-certificates.crt", dir + "/proxy.pem"},
		{"/var/cache/nginx-assets", dir + "/cache"},
		{"slice 32m;", sliced},
	} {
		if !strings.Contains(config, swap[0]) {
			return fmt.Errorf("the configuration in fs/cli/docs/team.md has no %q", swap[0])
		}
		config = strings.ReplaceAll(config, swap[0], swap[1])
	}
	// The rest of Debian's nginx.conf. The workers' user must be able to write to dir.
	config = "daemon off; user root; pid nginx.pid; events {}\nhttp {\naccess_log access.log;\n" + config + "}\n"
	name := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(name, []byte(config), 0o600); err != nil {
		return err
	}
	//nolint:noctx // stop ends it
	p.cmd = exec.Command("nginx", "-p", dir, "-c", name, "-e", "error.log")
	if err := p.cmd.Start(); err != nil {
		return err
	}
	go func() {
		_ = p.cmd.Wait() // its log says why it ended
		close(p.exited)
	}()
	if err := p.await("127.0.0.1:" + port); err != nil {
		log, _ := os.ReadFile(filepath.Join(dir, "error.log")) // only an explanation
		return fmt.Errorf("%w\n%s", err, log)
	}
	return nil
}

// await returns when something answers at addr.
func (p *proxy) await(addr string) error {
	for start := time.Now(); time.Since(start) < readyLimit; time.Sleep(10 * time.Millisecond) {
		select {
		case <-p.exited:
			return errors.New("nginx has ended")
		default:
		}
		if c, err := (&net.Dialer{Timeout: readyLimit}).Dial("tcp", addr); err == nil {
			return c.Close()
		}
	}
	return errors.New("nginx does not answer")
}

// stop ends nginx and the API behind it.
func (p *proxy) stop() error {
	if p.origin != nil {
		p.origin.Close()
	}
	if p.cmd == nil || p.cmd.Process == nil {
		return nil
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-p.exited
	return nil
}

// writeCertificate writes proxy.pem and proxy.key.
func writeCertificate(dir string, c tls.Certificate) error {
	key, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		return err
	}
	for name, block := range map[string]*pem.Block{
		"proxy.pem": {Type: "CERTIFICATE", Bytes: c.Certificate[0]},
		"proxy.key": {Type: "PRIVATE KEY", Bytes: key},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// freePort returns a free port on loopback.
func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it does not wait
	if err != nil {
		return "", err
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err
}

// guideBlock returns the block of fs/cli/docs/team.md that follows the line <!-- NAME -->.
func guideBlock(name string) (string, error) {
	text, err := os.ReadFile(filepath.Join("..", "fs", "cli", "docs", "team.md"))
	if err != nil {
		return "", err
	}
	m := regexp.MustCompile("(?s)\n<!-- " + name + " -->\n```[a-z]*\n(.*?)\n```\n").FindSubmatch(text)
	if m == nil {
		return "", fmt.Errorf("team.md has no block after <!-- %s -->", name)
	}
	return string(m[1]) + "\n", nil
}
