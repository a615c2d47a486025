// A real Vault for tests: its own core and its own HTTP handler, with everything in memory, and only the parts that tests use.
package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	log "github.com/hashicorp/go-hclog"
	authKubernetes "github.com/hashicorp/vault-plugin-auth-kubernetes"
	kv "github.com/hashicorp/vault-plugin-secrets-kv"
	authAppRole "github.com/hashicorp/vault/builtin/credential/approle"
	vaulthttp "github.com/hashicorp/vault/http"
	"github.com/hashicorp/vault/internalshared/configutil"
	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/logical"
	"github.com/hashicorp/vault/sdk/physical/inmem"
	"github.com/hashicorp/vault/vault"
)

var secretsEngines = map[string]logical.Factory{"kv": kv.Factory}
var authMethods = map[string]logical.Factory{"approle": authAppRole.Factory, "kubernetes": authKubernetes.Factory}

// parts says to the core which of the plugins it may be asked for are compiled in.
type parts struct{}

func (parts) find(name string, kind consts.PluginType) (logical.Factory, bool) {
	switch kind {
	case consts.PluginTypeSecrets:
		factory, found := secretsEngines[name]
		return factory, found
	case consts.PluginTypeCredential:
		factory, found := authMethods[name]
		return factory, found
	default:
		return nil, false
	}
}

func (all parts) Get(name string, kind consts.PluginType) (func() (interface{}, error), bool) {
	factory, found := all.find(name, kind)
	return func() (interface{}, error) { return factory, nil }, found
}

func (all parts) Contains(name string, kind consts.PluginType) bool {
	_, found := all.find(name, kind)
	return found
}

func (parts) Keys(kind consts.PluginType) []string {
	var names []string
	switch kind {
	case consts.PluginTypeSecrets:
		for name := range secretsEngines {
			names = append(names, name)
		}
	case consts.PluginTypeCredential:
		for name := range authMethods {
			names = append(names, name)
		}
	}
	return names
}

func (all parts) DeprecationStatus(name string, kind consts.PluginType) (consts.DeprecationStatus, bool) {
	return consts.Supported, all.Contains(name, kind)
}

func (parts) IsBuiltinEntPlugin(string, consts.PluginType) bool { return false }

// ready is what the test reads when the server answers.
type ready struct {
	RootToken string `json:"root_token"`
	UnsealKey string `json:"unseal_key"`
}

func run() error {
	address := flag.String("listen", "127.0.0.1:8200", "where to listen")
	readyFile := flag.String("ready-file", "", "the file to write when it answers: root token and unseal key as JSON")
	certificate := flag.String("tls-certificate", "", "PEM file of the certificate; none: plain HTTP")
	key := flag.String("tls-key", "", "PEM file of its key")
	flag.Parse()

	logger := log.New(&log.LoggerOptions{Name: "vault", Level: log.Info, Output: os.Stderr})
	storage, err := inmem.NewInmem(nil, logger)
	if err != nil {
		return err
	}
	core, err := vault.NewCore(&vault.CoreConfig{
		Physical:           storage,
		LogicalBackends:    secretsEngines,
		CredentialBackends: authMethods,
		BuiltinRegistry:    parts{},
		Logger:             logger,
		DisableMlock:       true,
		DefaultLeaseTTL:    24 * time.Hour,
		MaxLeaseTTL:        7 * 24 * time.Hour,
	})
	if err != nil {
		return err
	}
	made, err := core.Initialize(context.Background(), &vault.InitParams{
		BarrierConfig:  &vault.SealConfig{SecretShares: 1, SecretThreshold: 1},
		RecoveryConfig: &vault.SealConfig{},
	})
	if err != nil {
		return err
	}
	if _, err := core.Unseal(append([]byte(nil), made.SecretShares[0]...)); err != nil {
		return err
	}
	handler := vaulthttp.Handler.Handler(&vault.HandlerProperties{
		Core:           core,
		ListenerConfig: &configutil.Listener{Type: "tcp", Address: *address},
	})
	listener, err := net.Listen("tcp", *address)
	if err != nil {
		return err
	}
	text, err := json.Marshal(ready{RootToken: made.RootToken, UnsealKey: hex.EncodeToString(made.SecretShares[0])})
	if err != nil {
		return err
	}
	// Renamed into place: whoever finds the file finds all of it.
	if err := os.WriteFile(*readyFile+".new", text, 0o600); err != nil {
		return err
	}
	if err := os.Rename(*readyFile+".new", *readyFile); err != nil {
		return err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	if *certificate != "" {
		return server.ServeTLS(listener, *certificate, *key)
	}
	return server.Serve(listener)
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "vault-for-tests:", err)
		os.Exit(1)
	}
}
