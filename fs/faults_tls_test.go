package fs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"assetfs/remote/fakeapi"
)

// authority signs certificates.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	a := &authority{t: t}
	c := a.sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: "test"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		NotAfter: time.Now().Add(time.Hour),
	})
	a.cert, a.key = c.Leaf, c.PrivateKey.(*ecdsa.PrivateKey)
	return a
}

// sign makes a certificate of c; the first one signs itself.
func (a *authority) sign(c *x509.Certificate) tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	c.SerialNumber = big.NewInt(time.Now().UnixNano())
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// TestFaultsTLS: what is wrong with a certificate is for somebody to repair, so
// it is EIO at once, with one line that says what.
func TestFaultsTLS(t *testing.T) {
	ours, theirs := newAuthority(t), newAuthority(t)
	roots := x509.NewCertPool()
	roots.AddCert(ours.cert)
	soon, past := time.Now().Add(time.Hour), time.Now().Add(-time.Hour)
	for _, c := range []struct {
		name string
		cert tls.Certificate
		want string // "" is no error
	}{
		{"right", ours.sign(&x509.Certificate{DNSNames: []string{"localhost"}, NotAfter: soon}), ""},
		{"unknown CA", theirs.sign(&x509.Certificate{DNSNames: []string{"localhost"}, NotAfter: soon}), "an authority that this machine does not know"},
		{"expired", ours.sign(&x509.Certificate{DNSNames: []string{"localhost"}, NotAfter: past}), "has expired"},
		{"not yet valid", ours.sign(&x509.Certificate{DNSNames: []string{"localhost"}, NotBefore: soon, NotAfter: soon.Add(time.Hour)}), "not yet valid"},
		{"wrong host", ours.sign(&x509.Certificate{DNSNames: []string{"example.com"}, NotAfter: soon}), "for another host"},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := fakeapi.New(fakeapi.Asset{ID: faultID, Size: faultSize})
			web := httptest.NewUnstartedServer(server)
			web.Config.ErrorLog = quiet()
			var handshakes atomic.Int64
			web.TLS = &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
				handshakes.Add(1)
				return &c.cert, nil
			}, Certificates: []tls.Certificate{c.cert}, NextProtos: []string{"http/1.1"}}
			web.StartTLS()
			r := wireFaultRig(t, strings.Replace(web.URL, "127.0.0.1", "localhost", 1), faultAmple, faultAmple, &tls.Config{RootCAs: roots})
			r.serve(server, web)
			defer r.close()
			s := r.read(0)
			if c.want == "" {
				if s.err != nil || s.read != faultSize {
					t.Errorf("a reader saw %v", s)
				}
				return
			}
			if errno(s.err) != syscall.EIO || !strings.Contains(s.err.Error(), c.want) || strings.Contains(s.err.Error(), "\n") {
				t.Errorf("a reader saw %v, want EIO and one line that says %q", s, c.want)
			}
			if n := len(server.Requests()); n != 0 {
				t.Errorf("%d requests got through", n)
			}
			if n := handshakes.Load(); n != 1 {
				t.Errorf("%d attempts, one is enough", n)
			}
		})
	}
}
