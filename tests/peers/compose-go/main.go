// API composition in Go: asks two services at once, makes sure that both documents are JSON, and puts their bytes together.
//
// Usage: compose LISTEN ORDER INVENTORY
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strconv"
	"time"
)

// As many connections as the load generator has, so that none is opened anew for a request.
const idleConnections = 256

var client = &http.Client{
	Timeout: 5 * time.Second,
	Transport: &http.Transport{
		MaxIdleConns:        2 * idleConnections,
		MaxIdleConnsPerHost: idleConnections,
		DisableCompression:  true,
	},
}

type part struct {
	body []byte
	err  error
}

func call(request *http.Request, address, name string) part {
	outgoing, err := http.NewRequestWithContext(request.Context(), http.MethodGet, "http://"+address+request.URL.RequestURI(), nil)
	if err != nil {
		return part{err: err}
	}
	outgoing.Host = name
	response, err := client.Do(outgoing)
	if err != nil {
		return part{err: err}
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return part{err: err}
	}
	if response.StatusCode != http.StatusOK || !json.Valid(body) {
		return part{err: fmt.Errorf("%s answers %d, or no JSON", name, response.StatusCode)}
	}
	return part{body: body}
}

func main() {
	if len(os.Args) != 4 {
		log.Fatal("usage: compose LISTEN ORDER INVENTORY")
	}
	listen, order, inventory := os.Args[1], os.Args[2], os.Args[3]
	handler := func(writer http.ResponseWriter, request *http.Request) {
		second := make(chan part, 1)
		go func() { second <- call(request, inventory, "inventory") }()
		one, other := call(request, order, "order"), <-second
		for _, part := range []part{one, other} {
			if part.err != nil {
				http.Error(writer, part.err.Error(), http.StatusBadGateway)
				return
			}
		}
		body := make([]byte, 0, len(one.body)+len(other.body)+32)
		body = append(body, `{"order":`...)
		body = append(body, one.body...)
		body = append(body, `,"inventory":`...)
		body = append(body, other.body...)
		body = append(body, '}')
		writer.Header().Set("Content-Type", "application/json")
		writer.Header().Set("Content-Length", strconv.Itoa(len(body)))
		// A client that has gone is nobody to tell.
		_, _ = writer.Write(body)
	}
	log.Fatal(http.ListenAndServe(listen, http.HandlerFunc(handler)))
}
