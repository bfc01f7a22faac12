package integration_test

import (
	"errors"
	"fmt"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"text/template"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// server is a server that a script runs, from the templates in testdata/servers/config/NAME. The template "run" starts it. The
// templates use the methods and exported fields.
type server struct {
	Dir     string // for its configuration and logs
	Files   string // the document root
	Port    string // stays the same after restarts
	Start   int    // 1 at the first start, then 2, ...
	Modules string // directory of Node's modules

	settings map[string]string
	others   map[string]*server
	text     string    // its log, as last read
	at       string    // when it was last read: see count
	asked    int       // markers in its log
	forgot   int       // bytes of its log that don't count any more
	cmd      *exec.Cmd // nil if not running
	exited   chan struct{}
}

// Assets returns the assets that it serves.
func (*server) Assets() []served { return servedAssets }

// Root reports whether root starts it.
func (*server) Root() bool { return os.Geteuid() == 0 }

// Nobody returns a command prefix for a server that refuses to run as root.
func (s *server) Nobody() string {
	if s.Root() {
		return "setpriv --reuid=65534 --regid=65534 --clear-groups"
	}
	return ""
}

// Is reports whether a setting was given.
func (s *server) Is(key string) bool { _, ok := s.settings[key]; return ok }

// Get returns the value of a setting.
func (s *server) Get(key string) string { return s.settings[key] }

// List returns the values of a setting.
func (s *server) List(key string) []string { return strings.Split(s.settings[key], ",") }

// PortOf returns the port of another server, which must have been started.
func (s *server) PortOf(name string) (string, error) {
	other, ok := s.others[name]
	if !ok {
		return "", fmt.Errorf("no server %q was started", name)
	}
	return other.Port, nil
}

// url returns the base URL.
func (s *server) url() string {
	if s.Is("tls") {
		return "https://127.0.0.1:" + s.Port + basePath
	}
	return "http://127.0.0.1:" + s.Port + basePath
}

// cmdServer implements "server start|restart|stop|kill|forget NAME [SETTING...]" and "server requests|billed NAME [FIELD...] N".
func cmdServer(ts *testscript.TestScript, neg bool, args []string) {
	args = strings.Fields(strings.Join(args, " ")) // $SERVER has several
	if neg || len(args) < 2 {
		usage(ts, "server start|restart|stop|kill|forget NAME [SETTING...], server requests|billed NAME [FIELD...] N")
	}
	st, verb, name, args := of(ts), args[0], args[1], args[2:]
	if verb == "start" {
		ts.Check(st.startServer(ts, name, args))
		return
	}
	s, ok := st.servers[name]
	if !ok {
		ts.Fatalf("no server %q was started", name)
	}
	switch verb {
	case "restart":
		ts.Check(errors.Join(s.end(syscall.SIGTERM), s.run(name, args)))
	case "stop":
		ts.Check(s.end(syscall.SIGTERM))
	case "kill":
		ts.Check(s.end(syscall.SIGKILL))
	case "forget":
		log, err := s.log()
		ts.Check(err)
		s.forgot, s.at = len(log), ""
	case "requests", "billed":
		at := ""
		if st.daemon == nil {
			at = fmt.Sprintf("after the end of %s and start %d", ts.Getenv("ASSETFS_PID"), s.Start)
		}
		ts.Check(s.count(verb, at, args))
	default:
		ts.Fatalf("unknown verb: server %s", verb)
	}
}

// startServer starts a server, after the servers behind it.
func (st *state) startServer(ts *testscript.TestScript, name string, settings []string) error {
	for _, setting := range settings {
		behind, ok := strings.CutPrefix(setting, "behind=")
		if !ok {
			continue
		}
		for _, other := range strings.Split(behind, ",") {
			if err := st.startServer(ts, other, nil); err != nil {
				return err
			}
		}
	}
	port, err := freePort()
	if err != nil {
		return err
	}
	if st.servers == nil {
		st.servers = map[string]*server{}
	}
	s := &server{Dir: ts.MkAbs(name), Files: ts.MkAbs("files"), Port: port, Modules: st.setup.modules, others: st.servers}
	st.servers[name] = s
	if err := s.run(name, settings); err != nil {
		return err
	}
	ts.Setenv("API", s.url())
	ts.Setenv(strings.ToUpper(name)+"_PORT", s.Port)
	if s.Is("tls") {
		ts.Setenv("SSL_CERT_FILE", filepath.Join(s.Dir, "proxy.pem"))
	}
	return nil
}

// run starts the server and returns when it accepts connections. Settings that are not given keep their value.
func (s *server) run(name string, settings []string) error {
	if s.settings == nil {
		s.settings = map[string]string{}
	}
	for _, setting := range settings {
		key, value, _ := strings.Cut(setting, "=")
		if value == "off" {
			delete(s.settings, key)
		} else {
			s.settings[key] = value
		}
	}
	s.Start++
	if err := s.configure(filepath.Join("testdata", "servers", "config", name)); err != nil {
		return err
	}
	output, err := os.OpenFile(filepath.Join(s.Dir, "output"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer output.Close()
	//nolint:noctx // end ends it
	cmd := exec.Command("sh", "run")
	cmd.Dir = s.Dir
	cmd.Stdout, cmd.Stderr = output, output
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // so that its workers can be ended with it
	if err := cmd.Start(); err != nil {
		return err
	}
	exited := make(chan struct{})
	go func() {
		_ = cmd.Wait() // its output says why it ended
		close(exited)
	}()
	s.cmd, s.exited = cmd, exited
	if err := s.await(); err != nil {
		said, _ := os.ReadFile(output.Name()) // only an explanation
		logged, _ := os.ReadFile(filepath.Join(s.Dir, "error.log"))
		return fmt.Errorf("%s: %w\n%s%s", name, err, said, logged)
	}
	return nil
}

// configure writes the server's directory from templates.
func (s *server) configure(from string) error {
	if s.Is("tls") {
		issuer := httptest.NewTLSServer(nil)
		issuer.Close()
		if err := errors.Join(os.MkdirAll(s.Dir, 0o755), writeCertificate(s.Dir, issuer.TLS.Certificates[0])); err != nil {
			return err
		}
	}
	return filepath.WalkDir(from, func(name string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		target := filepath.Join(s.Dir, strings.TrimPrefix(name, from))
		if d.IsDir() {
			// Some servers drop root before they write.
			return errors.Join(os.MkdirAll(target, 0o755), os.Chmod(target, 0o777))
		}
		config, err := template.ParseFiles(name)
		if err != nil {
			return err
		}
		f, err := os.Create(target)
		if err != nil {
			return err
		}
		return errors.Join(config.Execute(f, s), f.Close())
	})
}

// await returns when the server accepts connections.
func (s *server) await() error {
	for start := time.Now(); time.Since(start) < readyLimit; time.Sleep(10 * time.Millisecond) {
		select {
		case <-s.exited:
			return errors.New("has ended")
		default:
		}
		if c, err := (&net.Dialer{Timeout: readyLimit}).Dial("tcp", "127.0.0.1:"+s.Port); err == nil {
			if s.lateLog() {
				_, err = s.log()
			}
			return errors.Join(err, c.Close())
		}
	}
	return errors.New("does not answer")
}

// end sends a signal to the server and its workers, and returns when all have ended.
func (s *server) end(sig syscall.Signal) error {
	if s.cmd == nil {
		return nil
	}
	group := -s.cmd.Process.Pid
	defer func() {
		s.cmd = nil
	}()
	for start := time.Now(); time.Since(start) < 2*readyLimit; time.Sleep(10 * time.Millisecond) {
		if time.Since(start) > 5*time.Second {
			sig = syscall.SIGKILL // some wait for their clients
		}
		err := syscall.Kill(group, sig)
		if errors.Is(err, syscall.ESRCH) {
			<-s.exited
			return nil
		}
		if err != nil {
			return fmt.Errorf("end a server: %w", err)
		}
		if sig != syscall.SIGKILL {
			sig = 0 // send it once, then only check
		}
	}
	return errors.New("a server does not end")
}
