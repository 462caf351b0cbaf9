// Package kv is the contract of go-plugin's key-value example, for a host and for a plugin process.
//
// Its source is examples/kv/kv.proto; `go generate` needs protoc, protoc-gen-go and protoc-gen-go-grpc.
package kv

//go:generate protoc -I ../../../../examples/kv --go_out=. --go_opt=paths=source_relative,Mkv.proto=gopeers/kv --go-grpc_out=. --go-grpc_opt=paths=source_relative,Mkv.proto=gopeers/kv kv.proto

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
)

// DispenseName is the store's name in the plugin set.
const DispenseName = "kv"

// Handshake is what host and plugin agree on; the versions are in Plugins.
var Handshake = plugin.HandshakeConfig{
	MagicCookieKey:   "BASIC_PLUGIN",
	MagicCookieValue: "hello",
}

// Plugins is the versioned plugin set for a comma-separated list of versions; a host needs no newServer.
func Plugins(versions string, newServer func(version int) KVServer) (map[int]plugin.PluginSet, error) {
	sets := map[int]plugin.PluginSet{}
	for _, text := range strings.Split(versions, ",") {
		version, err := strconv.Atoi(text)
		if err != nil {
			return nil, fmt.Errorf("versions %q: %w", versions, err)
		}
		served := &grpcPlugin{}
		if newServer != nil {
			served.server = newServer(version)
		}
		sets[version] = plugin.PluginSet{DispenseName: served}
	}
	return sets, nil
}

type grpcPlugin struct {
	plugin.NetRPCUnsupportedPlugin
	server KVServer
}

func (p *grpcPlugin) GRPCServer(_ *plugin.GRPCBroker, server *grpc.Server) error {
	RegisterKVServer(server, p.server)
	return nil
}

func (p *grpcPlugin) GRPCClient(_ context.Context, _ *plugin.GRPCBroker, connection *grpc.ClientConn) (any, error) {
	return NewKVClient(connection), nil
}
