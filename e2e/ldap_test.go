package e2e

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// fromLDAP imports people from OpenLDAP's server, over TLS: first as a rehearsal, then
// all or nothing, and notices who left.
func fromLDAP(t *testing.T, desk *Desk) {
	if _, err := os.Stat(slapd); err != nil {
		missing(t, err)
	}
	people := []string{"lena;Lena Lee;+49 (0)30 / 555-0101", "lars;Lars Lund;+49 30 5550102", "lily;Lily Löwe;"}
	addr, dir := startSlapd(t, people)
	args := []string{"people", "--import", "ldaps://" + addr, "--ldap-base", "ou=people,dc=example,dc=org", "--ldap-bind", "cn=admin,dc=example,dc=org",
		"--ldap-password-file", filepath.Join(dir, "password"), "--ldap-ca-file", filepath.Join(dir, "cert.pem"), "--ldap-map", "id=uid;name=cn;phone=mobile;loc=roomNumber"}
	sees := func(out string, want ...string) {
		t.Helper()
		for _, w := range want {
			if !strings.Contains(out, w) {
				t.Errorf("the import does not say %q: %s", w, out)
			}
		}
	}
	sees(desk.run(append(args, "--dry-run")...), "+ lena: Lena Lee", "+ lily: Lily Löwe")
	if out := desk.run("people"); strings.Contains(out, "lena") {
		t.Errorf("a rehearsal imports: %s", out)
	}
	sees(desk.run(args...), "+ lars: Lars Lund", "+ lena")
	sees(desk.run("people"), "+49305550101", "+49305550102", "Lily Löwe")
	if out := desk.run(args...); strings.Contains(out, "+ lena") || strings.Contains(out, "~ lena") {
		t.Errorf("the same again changes something: %s", out)
	}

	change := func(ldif string) {
		t.Helper()
		modify := exec.CommandContext(t.Context(), slapd, "-T", "modify", "-f", filepath.Join(dir, "slapd.conf"))
		modify.Stdin = strings.NewReader(ldif)
		if out, err := modify.CombinedOutput(); err != nil {
			t.Fatalf("slapmodify: %v\n%s", err, out)
		}
	}
	change("dn: uid=lena,ou=people,dc=example,dc=org\nchangetype: modify\nreplace: mobile\nmobile: 12\n")
	change("dn: uid=lily,ou=people,dc=example,dc=org\nchangetype: modify\nreplace: cn\ncn: Lily Lang\n")
	sees(desk.fails(args...), "uid=lena,ou=people,dc=example,dc=org: phone", "nothing was imported")
	if out := desk.run("people"); !strings.Contains(out, "Lily Löwe") {
		t.Errorf("half an import: %s", out)
	}
	change("dn: uid=lena,ou=people,dc=example,dc=org\nchangetype: delete\n")
	sees(desk.run(args...), `~ lily: name "Lily Löwe" -> "Lily Lang"`, "- lena: Lena Lee is not there any more; --ldap-deactivate")
	sees(desk.run(append(args, "--ldap-deactivate")...), "- lena: Lena Lee is not there any more\n")
	sees(strings.Join(strings.Fields(desk.run("people")), " "), "lena Lena Lee deactivated")
	if out := desk.run(args...); strings.Contains(out, "- lena") {
		t.Errorf("who is deactivated is told of again: %s", out)
	}

	wrong := append([]string{}, args...)
	wrong[2] = "ldap://" + strings.Replace(addr, "127.0.0.1", "localhost", 1) // there is TLS alone
	sees(desk.fails(wrong...), "reach the directory")
	sees(desk.fails(append(args, "--ldap-filter", "(uid=nobody)")...), "nobody there")
	if err := os.WriteFile(filepath.Join(dir, "password"), []byte("wrong\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	sees(desk.fails(args...), "log in to the directory")
	for i, arg := range args {
		if arg == "--ldap-ca-file" {
			sees(desk.fails(append(append([]string{}, args[:i]...), args[i+2:]...)...), "reach the directory", "certificate")
		}
	}
}

const slapd = "/usr/sbin/slapd" // Debian's, and not in everybody's PATH

// startSlapd starts OpenLDAP's server with people (uid;cn;mobile) and a certificate of
// its own, and returns its address and the folder with certificate and password.
func startSlapd(t *testing.T, people []string) (addr, dir string) {
	t.Helper()
	dir = t.TempDir()
	write := func(name, content string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"}}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write("cert.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})))
	write("key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})))
	write("password", "secret\n")
	write("slapd.conf", strings.ReplaceAll(`include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
TLSCertificateFile DIR/cert.pem
TLSCertificateKeyFile DIR/key.pem
database mdb
suffix "dc=example,dc=org"
rootdn "cn=admin,dc=example,dc=org"
rootpw secret
directory DIR
`, "DIR", dir))
	ldif := "dn: dc=example,dc=org\nobjectClass: dcObject\nobjectClass: organization\no: Example\ndc: example\n\ndn: ou=people,dc=example,dc=org\nobjectClass: organizationalUnit\nou: people\n"
	for _, p := range people {
		f := strings.Split(p, ";")
		ldif += fmt.Sprintf("\ndn: uid=%s,ou=people,dc=example,dc=org\nobjectClass: inetOrgPerson\nuid: %s\ncn: %s\nsn: x\n", f[0], f[0], f[1])
		if f[2] != "" {
			ldif += "mobile: " + f[2] + "\n"
		}
	}
	add := exec.CommandContext(t.Context(), slapd, "-T", "add", "-f", filepath.Join(dir, "slapd.conf"))
	add.Stdin = strings.NewReader(ldif)
	if out, err := add.CombinedOutput(); err != nil {
		t.Fatalf("slapadd: %v\n%s", err, out)
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr = free.Addr().String()
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	server := exec.CommandContext(ctx, slapd, "-f", filepath.Join(dir, "slapd.conf"), "-h", "ldaps://"+addr, "-d", "0")
	server.Stderr = t.Output()
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop()
		_ = server.Wait() // it was killed
	})
	if !eventually(Patience, func() bool {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			conn.Close()
		}
		return err == nil
	}) {
		t.Fatal("slapd does not answer")
	}
	return addr, dir
}
