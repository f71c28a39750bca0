package devstack

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

const (
	authorityFile    = "ca.pem"
	authorityKeyFile = "ca.key"

	authorityLife = 10 * 365 * 24 * time.Hour
	serverLife    = 365 * 24 * time.Hour
	renewBefore   = 30 * 24 * time.Hour
)

// ensureCertificates keeps a private authority in dir and a server certificate from it that
// covers the hosts, localhost and 127.0.0.1. Both stay as long as they are valid, so that
// clients can go on trusting the same authority.
func ensureCertificates(dir, certificate, key string, hosts []string, now time.Time) error {
	authority, signer, err := readPair(filepath.Join(dir, authorityFile), filepath.Join(dir, authorityKeyFile))
	if errors.Is(err, os.ErrNotExist) || err == nil && now.Add(serverLife).After(authority.NotAfter) {
		authority, signer, err = writeAuthority(dir, now)
	}
	if err != nil {
		return err
	}
	hosts = append([]string{"localhost", localhost}, hosts...)
	current, _, err := readPair(certificate, key)
	switch {
	case errors.Is(err, os.ErrNotExist):
	case err != nil:
		return err
	case covers(current, authority, hosts, now.Add(renewBefore)):
		return nil
	}
	template := newCertificate("Deskbell development server", now, serverLife)
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	_, _, err = writePair(certificate, key, template, authority, signer)
	return err
}

func covers(certificate, authority *x509.Certificate, hosts []string, at time.Time) bool {
	roots := x509.NewCertPool()
	roots.AddCert(authority)
	for _, host := range hosts {
		options := x509.VerifyOptions{Roots: roots, DNSName: host, CurrentTime: at}
		if _, err := certificate.Verify(options); err != nil {
			return false
		}
	}
	return true
}

func writeAuthority(dir string, now time.Time) (*x509.Certificate, crypto.Signer, error) {
	template := newCertificate("Deskbell development authority", now, authorityLife)
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	return writePair(filepath.Join(dir, authorityFile), filepath.Join(dir, authorityKeyFile), template, nil, nil)
}

func newCertificate(name string, now time.Time, life time.Duration) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    now.Add(-time.Hour),
		NotAfter:     now.Add(life),
	}
}

// writePair makes a key and has its certificate signed by the parent, or by itself without one.
func writePair(certificate, key string, template, parent *x509.Certificate, signer crypto.Signer,
) (*x509.Certificate, crypto.Signer, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	if parent == nil {
		parent, signer = template, private
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, private.Public(), signer)
	if err != nil {
		return nil, nil, err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, nil, err
	}
	if err := writeFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600); err != nil {
		return nil, nil, err
	}
	if err := writeFile(certificate, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644); err != nil {
		return nil, nil, err
	}
	return readPair(certificate, key)
}

func readPair(certificate, key string) (*x509.Certificate, crypto.Signer, error) {
	der, err := readPEM(certificate)
	if err != nil {
		return nil, nil, err
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", certificate, err)
	}
	secret, err := readPEM(key)
	if err != nil {
		return nil, nil, err
	}
	private, err := x509.ParsePKCS8PrivateKey(secret)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", key, err)
	}
	signer, ok := private.(crypto.Signer)
	if !ok {
		return nil, nil, fmt.Errorf("%s: not a signing key", key)
	}
	return parsed, signer, nil
}

func readPEM(path string) ([]byte, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("%s holds no PEM block", path)
	}
	return block.Bytes, nil
}
