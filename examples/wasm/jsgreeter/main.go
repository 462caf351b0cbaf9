//go:build wasip1

// A JavaScript module in WebAssembly, in Go: require("plugin:examples:wasm-greeter").greet("Ada") is "Hello, Ada!".
//
// guests/jsmodule is what upstream's generator makes of proto/jsbridge/_proto/jsmodule.proto; the page docs/wasm.md
// builds it.
package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/knqyf263/go-plugin/types/known/emptypb"
	"github.com/knqyf263/go-plugin/types/known/structpb"

	"guests/jsmodule"
)

func main() {}

func init() {
	jsmodule.RegisterJSModuleService(module{})
}

type function = func(arguments []any) (any, error)

// By the name of the export, or of the export and the method.
var functions = map[string]function{
	"greet":         greet,
	"echo":          echo,
	"strings.upper": upper,
	"strings.join":  join,
}

func greet(arguments []any) (any, error) {
	name, err := text(arguments, 0)
	return "Hello, " + name + "!", err
}

func echo(arguments []any) (any, error) {
	if len(arguments) == 0 {
		return nil, nil
	}
	return arguments[0], nil
}

func upper(arguments []any) (any, error) {
	value, err := text(arguments, 0)
	return strings.ToUpper(value), err
}

func join(arguments []any) (any, error) {
	if len(arguments) == 0 {
		return nil, errors.New("join takes a separator and what it separates")
	}
	texts := make([]string, len(arguments))
	for index := range arguments {
		var err error
		if texts[index], err = text(arguments, index); err != nil {
			return nil, err
		}
	}
	return strings.Join(texts[1:], texts[0]), nil
}

func text(arguments []any, index int) (string, error) {
	if index >= len(arguments) {
		return "", fmt.Errorf("argument %d is missing", index+1)
	}
	value, ok := arguments[index].(string)
	if !ok {
		return "", fmt.Errorf("argument %d is %v, not a text", index+1, arguments[index])
	}
	return value, nil
}

type module struct{}

func (module) GetManifest(context.Context, *emptypb.Empty) (*jsmodule.ModuleManifest, error) {
	return &jsmodule.ModuleManifest{
		ModuleName: "plugin:examples:wasm-greeter",
		Version:    "v1",
		Doc:        "Greetings without a process.",
		Exports: []*jsmodule.ExportSpec{
			{Name: "greet", Kind: jsmodule.ExportKind_EXPORT_KIND_FUNCTION, Doc: "A greeting for the name."},
			{Name: "echo", Kind: jsmodule.ExportKind_EXPORT_KIND_FUNCTION, Doc: "The argument itself."},
			{
				Name: "strings",
				Kind: jsmodule.ExportKind_EXPORT_KIND_OBJECT,
				Doc:  "Two of Go's functions.",
				MethodSpecs: []*jsmodule.MethodSpec{
					{Name: "upper", Summary: "The text in capitals."},
					{Name: "join", Summary: "The texts behind the first, with the first between them."},
				},
			},
		},
	}, nil
}

func (module) Invoke(_ context.Context, request *jsmodule.InvokeRequest) (*jsmodule.InvokeResponse, error) {
	name := request.ExportName
	if request.MethodName != "" {
		name += "." + request.MethodName
	}
	call, ok := functions[name]
	if !ok {
		return nil, fmt.Errorf("unsupported export %q", name)
	}
	arguments := make([]any, len(request.Args))
	for index, argument := range request.Args {
		arguments[index] = argument.AsInterface()
	}
	answer, err := call(arguments)
	if err != nil {
		return nil, err
	}
	result, err := structpb.NewValue(answer)
	if err != nil {
		return nil, err
	}
	return &jsmodule.InvokeResponse{Result: result}, nil
}
