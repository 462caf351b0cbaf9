// Command jsplugin is a JavaScript module in Go, `plugin:echo`, with an export for everything that a host has to cope
// with. Arguments that are missing count as zero.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"gopeers/jsmodule"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/structpb"
)

type arguments []any

func (a arguments) number(index int) float64 { return argument[float64](a, index) }

func (a arguments) text(index int) string { return argument[string](a, index) }

func argument[T any](args arguments, index int) T {
	var value T
	if index < len(args) {
		value, _ = args[index].(T)
	}
	return value
}

type handler func(ctx context.Context, args arguments) (any, error)

// Made while os.Stderr still is the process's own: afterwards it is what the host gets as the plugin's output.
var logger = hclog.New(&hclog.LoggerOptions{Name: "jsplugin", Level: hclog.Trace, JSONFormat: true, Output: os.Stderr})

var exports = []struct {
	name string // of a function, or `object.method`
	call handler
}{
	{"ping", func(_ context.Context, args arguments) (any, error) { return argument[any](args, 0), nil }},
	{"pid", func(context.Context, arguments) (any, error) { return os.Getpid(), nil }},
	{"math.add", func(_ context.Context, args arguments) (any, error) {
		if len(args) != 2 {
			return nil, errors.New("math.add expects 2 arguments")
		}
		return args.number(0) + args.number(1), nil
	}},
	{"fail", func(_ context.Context, args arguments) (any, error) { return nil, errors.New(args.text(0)) }},
	{"status", func(_ context.Context, args arguments) (any, error) {
		return nil, status.Error(codes.NotFound, args.text(0))
	}},
	{"sleep", sleep},
	{"deadline", func(ctx context.Context, _ arguments) (any, error) {
		deadline, given := ctx.Deadline()
		if !given {
			return nil, nil
		}
		return time.Until(deadline).Milliseconds(), nil
	}},
	{"print", func(_ context.Context, args arguments) (any, error) {
		fmt.Fprint(os.Stdout, args.text(0))
		fmt.Fprint(os.Stderr, args.text(1))
		return nil, nil
	}},
	{"log", func(_ context.Context, args arguments) (any, error) {
		logger.Log(hclog.LevelFromString(args.text(0)), args.text(1), "source", "test")
		return nil, nil
	}},
	{"big", func(_ context.Context, args arguments) (any, error) {
		return strings.Repeat("x", int(args.number(0))), nil
	}},
	{"env", func(_ context.Context, args arguments) (any, error) {
		if value, set := os.LookupEnv(args.text(0)); set {
			return value, nil
		}
		return nil, nil
	}},
	{"crash", func(context.Context, arguments) (any, error) {
		os.Exit(3)
		return nil, nil
	}},
}

func sleep(ctx context.Context, args arguments) (any, error) {
	select {
	case <-time.After(time.Duration(args.number(0)) * time.Millisecond):
		return nil, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

type module struct {
	jsmodule.UnimplementedJSModuleServiceServer
}

func (module) GetManifest(context.Context, *emptypb.Empty) (*jsmodule.ModuleManifest, error) {
	manifest := &jsmodule.ModuleManifest{ModuleName: "plugin:echo", Version: "v1"}
	for _, export := range exports {
		spec := &jsmodule.ExportSpec{Name: export.name, Kind: jsmodule.ExportKind_EXPORT_KIND_FUNCTION}
		if object, method, isMethod := strings.Cut(export.name, "."); isMethod {
			spec.Name, spec.Kind = object, jsmodule.ExportKind_EXPORT_KIND_OBJECT
			spec.MethodSpecs = []*jsmodule.MethodSpec{{Name: method}}
		}
		manifest.Exports = append(manifest.Exports, spec)
	}
	return manifest, nil
}

func (module) Invoke(ctx context.Context, request *jsmodule.InvokeRequest) (*jsmodule.InvokeResponse, error) {
	name := request.GetExportName()
	if request.GetMethodName() != "" {
		name += "." + request.GetMethodName()
	}
	for _, export := range exports {
		if export.name != name {
			continue
		}
		args := &structpb.ListValue{Values: request.GetArgs()}
		answer, err := export.call(ctx, args.AsSlice())
		if err != nil {
			return nil, err
		}
		result, err := structpb.NewValue(answer)
		return &jsmodule.InvokeResponse{Result: result}, err
	}
	return nil, fmt.Errorf("unsupported export %q", name)
}

func main() {
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig:  jsmodule.Handshake,
		VersionedPlugins: jsmodule.Plugins(module{}),
		GRPCServer:       plugin.DefaultGRPCServer,
		Logger:           logger,
	})
}
