// A consumer that knows nothing of revcycle but its published contracts: it reads topics from Kafka, checks the seal of
// every record as docs/contracts/events.md describes it, and prints one JSON line per event.
//
//	consumer -brokers 127.0.0.1:9092 -keyring ring.json -topics revcycle.claims.v1 -count 10
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/twmb/franz-go/pkg/kgo"
)

// line is what is printed for a record.
type line struct {
	Topic    string          `json:"topic"`
	Key      string          `json:"key"`
	Sealed   bool            `json:"sealed"`
	Refused  string          `json:"refused,omitempty"`
	ID       string          `json:"id,omitempty"`
	Type     string          `json:"type,omitempty"`
	Source   string          `json:"source,omitempty"`
	Sequence string          `json:"sequence,omitempty"`
	Data     json.RawMessage `json:"data,omitempty"`
}

func main() {
	brokers := flag.String("brokers", "127.0.0.1:9092", "addresses of brokers, comma separated")
	keyring := flag.String("keyring", "", "file with the envelope keys of the tenants (see docs/contracts/events.md)")
	topics := flag.String("topics", "revcycle.claims.v1", "topics to read from their beginning, comma separated")
	count := flag.Int("count", 0, "stop after so many records; 0: go on until the limit of time")
	limit := flag.Duration("limit", 30*time.Second, "stop after this time")
	flag.Parse()
	if err := run(*brokers, *keyring, *topics, *count, *limit); err != nil {
		fmt.Fprintln(os.Stderr, "consumer:", err)
		os.Exit(1)
	}
}

func run(brokers, keyring, topics string, count int, limit time.Duration) error {
	ring, err := readKeyRing(keyring)
	if err != nil {
		return err
	}
	client, err := kgo.NewClient(
		kgo.SeedBrokers(strings.Split(brokers, ",")...),
		kgo.ConsumeTopics(strings.Split(topics, ",")...),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
	)
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	out := json.NewEncoder(os.Stdout)
	for seen := 0; count == 0 || seen < count; {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			if count == 0 {
				return nil
			}
			return fmt.Errorf("%d of %d records came within %s", seen, count, limit)
		}
		for _, failure := range fetches.Errors() {
			return fmt.Errorf("reading %s: %w", failure.Topic, failure.Err)
		}
		for _, record := range fetches.Records() {
			if err := out.Encode(read(record, ring)); err != nil {
				return err
			}
			seen++
		}
	}
	return nil
}

// read checks a record and makes a CloudEvent of it; a record whose seal does not hold is refused and never parsed.
func read(record *kgo.Record, ring keyRing) line {
	shown := line{Topic: record.Topic, Key: string(record.Key)}
	headers, err := headersOf(record)
	if err == nil {
		err = checkSeal(record.Topic, string(record.Key), headers, record.Value, ring)
	}
	if err != nil {
		shown.Refused = err.Error()
		return shown
	}
	shown.Sealed = true
	event, err := toCloudEvent(headers, record.Value)
	if err != nil {
		shown.Refused = err.Error()
		return shown
	}
	shown.ID, shown.Type, shown.Source = event.ID(), event.Type(), event.Source()
	shown.Sequence = fmt.Sprint(event.Extensions()["sequence"])
	shown.Data = event.Data()
	return shown
}

// headersOf gives the headers by name; a repeated or null one is refused, as it could be read in two ways.
func headersOf(record *kgo.Record) (map[string]string, error) {
	headers := make(map[string]string, len(record.Headers))
	for _, header := range record.Headers {
		if _, twice := headers[header.Key]; twice || header.Value == nil {
			return nil, errors.New("a header is repeated or null")
		}
		headers[header.Key] = string(header.Value)
	}
	return headers, nil
}

// toCloudEvent maps Kafka's binary mode: headers named ce_… are attributes, the value is the data.
func toCloudEvent(headers map[string]string, value []byte) (*cloudevents.Event, error) {
	event := cloudevents.NewEvent(headers["ce_specversion"])
	event.SetID(headers["ce_id"])
	event.SetType(headers["ce_type"])
	event.SetSource(headers["ce_source"])
	event.SetSubject(headers["ce_subject"])
	at, err := time.Parse(time.RFC3339Nano, headers["ce_time"])
	if err != nil {
		return nil, errors.New("ce_time is not a time")
	}
	event.SetTime(at)
	for name, value := range headers {
		attribute, ours := strings.CutPrefix(name, "ce_")
		switch attribute {
		case "specversion", "id", "type", "source", "subject", "time":
		default:
			if ours {
				event.SetExtension(attribute, value)
			}
		}
	}
	if err := event.SetData(headers["content-type"], value); err != nil {
		return nil, err
	}
	if err := event.Validate(); err != nil {
		return nil, fmt.Errorf("not a CloudEvent: %w", err)
	}
	return &event, nil
}
