// A gRPC server with canned answers, for benchmarks: each stream is served by a goroutine of its own, in the order of
// arrival. Standard library only.
//
// Its input is JSON: gRPC frames in base64 by path. It prints its address, and ends when its input does.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"time"
)

func answerFrom(answers map[string][]byte, delay time.Duration) http.HandlerFunc {
	return func(response http.ResponseWriter, request *http.Request) {
		// As gRPC servers do: nothing happens before the whole request is there.
		if _, err := io.Copy(io.Discard, request.Body); err != nil {
			return
		}
		time.Sleep(delay)
		header := response.Header()
		header.Set("Content-Type", "application/grpc")
		answer, known := answers[request.URL.Path]
		if !known {
			header.Set("Grpc-Status", "12")
			return
		}
		if _, err := response.Write(answer); err != nil {
			return
		}
		header.Set(http.TrailerPrefix+"Grpc-Status", "0")
	}
}

func main() {
	delayMs := flag.Int("delay", 0, "milliseconds that each call takes")
	window := flag.Int("window", 64<<20, "bytes of requests that one connection takes at once")
	maxStreams := flag.Int("max-streams", 10_000, "calls that one connection takes at once")
	flag.Parse()

	var answers map[string][]byte
	if err := json.NewDecoder(os.Stdin).Decode(&answers); err != nil {
		log.Fatalln("canned answers:", err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatalln(err)
	}
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{
		Handler:   answerFrom(answers, time.Duration(*delayMs)*time.Millisecond),
		Protocols: protocols,
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams:          *maxStreams,
			MaxReceiveBufferPerConnection: *window,
			MaxReceiveBufferPerStream:     *window,
		},
	}
	go func() { log.Fatalln(server.Serve(listener)) }()
	fmt.Println(listener.Addr())
	io.Copy(io.Discard, os.Stdin)
}
