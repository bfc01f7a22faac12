package remote

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
)

// Roots returns the certificates that this machine trusts (or those of SSL_CERT_FILE and
// SSL_CERT_DIR) together with those in file, in PEM or DER form.
func Roots(file string) (*x509.CertPool, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool() // file may hold all that is needed
	}
	if pool.AppendCertsFromPEM(text) {
		return pool, nil
	}
	if bytes.Contains(text, []byte("PRIVATE KEY-----")) {
		return nil, fmt.Errorf("%s: it holds a private key, not a certificate", file)
	}
	c, err := x509.ParseCertificate(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, errNoCertificate)
	}
	pool.AddCert(c)
	return pool, nil
}

var errNoCertificate = errors.New("no certificate in it (-----BEGIN CERTIFICATE-----)")
