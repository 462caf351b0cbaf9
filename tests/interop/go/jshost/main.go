// Command jshost is a Go host of one JavaScript module plugin, driven by JSON lines; see package drive.
//
//	{"op": "manifest"}                                               -> the manifest, in protobuf's JSON form
//	{"op": "invoke", "export": "math", "method": "add", "args": [1]} -> the result
package main

import (
	"context"
	"encoding/json"
	"flag"

	"gopeers/drive"
	"gopeers/jsmodule"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/structpb"
)

func main() {
	config := drive.NewConfig()
	flag.Parse()
	config.HandshakeConfig = jsmodule.Handshake
	config.VersionedPlugins = jsmodule.Plugins(nil)
	drive.Main(config, jsmodule.DispenseName, map[string]drive.Operation[jsmodule.JSModuleServiceClient]{
		"manifest": manifest,
		"invoke":   invoke,
	})
}

func manifest(ctx context.Context, module jsmodule.JSModuleServiceClient, _ []byte) (any, error) {
	reply, err := module.GetManifest(ctx, &emptypb.Empty{})
	if err != nil {
		return nil, err
	}
	text, err := protojson.Marshal(reply)
	return json.RawMessage(text), err
}

func invoke(ctx context.Context, module jsmodule.JSModuleServiceClient, command []byte) (any, error) {
	call := struct {
		Export, Method string
		Args           []any
	}{}
	if err := json.Unmarshal(command, &call); err != nil {
		return nil, err
	}
	args, err := structpb.NewList(call.Args)
	if err != nil {
		return nil, err
	}
	request := &jsmodule.InvokeRequest{ExportName: call.Export, MethodName: call.Method, Args: args.GetValues()}
	reply, err := module.Invoke(ctx, request)
	if err != nil {
		return nil, err
	}
	return reply.GetResult().AsInterface(), nil
}
