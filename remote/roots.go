package remote

import (
	"bytes"
	"crypto/x509"
	"errors"
)

// Roots returns the certificates that this machine trusts (or those of SSL_CERT_FILE and
// SSL_CERT_DIR) together with those in text, in PEM or DER form.
func Roots(text []byte) (*x509.CertPool, error) {
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool() // text may hold all that is needed
	}
	if pool.AppendCertsFromPEM(text) {
		return pool, nil
	}
	if bytes.Contains(text, []byte("PRIVATE KEY-----")) {
		return nil, errors.New("it holds a private key, not a certificate")
	}
	c, err := x509.ParseCertificate(text)
	if err != nil {
		return nil, errNoCertificate
	}
	pool.AddCert(c)
	return pool, nil
}

var errNoCertificate = errors.New("no certificate in it (-----BEGIN CERTIFICATE-----)")
