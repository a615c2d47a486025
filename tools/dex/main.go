// A real Dex for tests: its own server and its own storage in memory, with people that a test names and clients that it names.
package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/dexidp/dex/connector"
	"github.com/dexidp/dex/pkg/log"
	"github.com/dexidp/dex/server"
	"github.com/dexidp/dex/storage"
	"github.com/dexidp/dex/storage/memory"
	"github.com/dexidp/dex/web"
	"github.com/sirupsen/logrus"
)

// config is what a test says.
type config struct {
	Listen         string    `json:"listen"`
	Issuer         string    `json:"issuer"`
	TLSCertificate string    `json:"tls_certificate"`
	TLSKey         string    `json:"tls_key"`
	Now            time.Time `json:"now"`
	Clients        []client  `json:"clients"`
	People         people    `json:"people"`
}

type client struct {
	ID           string   `json:"id"`
	Secret       string   `json:"secret"`
	RedirectURIs []string `json:"redirect_uris"`
	Public       bool     `json:"public"`
}

type person struct {
	Subject       string   `json:"subject"`
	Login         string   `json:"login"`
	Password      string   `json:"password"`
	Name          string   `json:"name"`
	Email         string   `json:"email"`
	EmailVerified bool     `json:"email_verified"`
	Groups        []string `json:"groups"`
}

// people is the connector: whoever has the password is let in.
type people []person

func (people) Prompt() string { return "" }

func (all people) Login(_ context.Context, scopes connector.Scopes, login, password string) (connector.Identity, bool, error) {
	for _, one := range all {
		if one.Login != login || one.Password != password {
			continue
		}
		identity := connector.Identity{
			UserID:            one.Subject,
			Username:          one.Name,
			PreferredUsername: one.Login,
			Email:             one.Email,
			EmailVerified:     one.EmailVerified,
		}
		if scopes.Groups {
			identity.Groups = one.Groups
		}
		return identity, true, nil
	}
	return connector.Identity{}, false, nil
}

func (all people) Open(string, log.Logger) (connector.Connector, error) { return all, nil }

func run() error {
	file := flag.String("config", "", "JSON file with what to serve")
	readyFile := flag.String("ready-file", "", "the file to write when it answers")
	flag.Parse()
	text, err := os.ReadFile(*file)
	if err != nil {
		return err
	}
	var given config
	if err := json.Unmarshal(text, &given); err != nil {
		return err
	}
	logger := logrus.New()
	handler, err := newServer(given, logger)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", given.Listen)
	if err != nil {
		return err
	}
	if given.TLSCertificate != "" {
		pair, err := tls.LoadX509KeyPair(given.TLSCertificate, given.TLSKey)
		if err != nil {
			return err
		}
		listener = tls.NewListener(listener, &tls.Config{Certificates: []tls.Certificate{pair}})
	}
	if err := os.WriteFile(*readyFile, nil, 0o600); err != nil {
		return err
	}
	return (&http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}).Serve(listener)
}

func newServer(given config, logger log.Logger) (http.Handler, error) {
	server.ConnectorsConfig["people"] = func() server.ConnectorConfig { return new(people) }
	kept, err := json.Marshal(given.People)
	if err != nil {
		return nil, err
	}
	var clients []storage.Client
	for _, one := range given.Clients {
		clients = append(clients, storage.Client{
			ID:           one.ID,
			Secret:       one.Secret,
			RedirectURIs: one.RedirectURIs,
			Public:       one.Public,
			Name:         one.ID,
		})
	}
	store := storage.WithStaticClients(memory.New(logger), clients)
	store = storage.WithStaticConnectors(store, []storage.Connector{
		{ID: "people", Type: "people", Name: "people", Config: kept},
	})
	now := time.Now
	if !given.Now.IsZero() {
		began := time.Now()
		now = func() time.Time { return given.Now.Add(time.Since(began)) }
	}
	refresh, err := server.NewRefreshTokenPolicy(logger, false, "", "", "")
	if err != nil {
		return nil, err
	}
	return server.NewServer(context.Background(), server.Config{
		Issuer:             given.Issuer,
		Storage:            store,
		SkipApprovalScreen: true,
		IDTokensValidFor:   time.Hour,
		RefreshTokenPolicy: refresh,
		Now:                now,
		Web:                server.WebConfig{WebFS: web.FS()},
		Logger:             logger,
	})
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "dex-for-tests:", err)
		os.Exit(1)
	}
}
