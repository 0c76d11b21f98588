package main

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sort"
	"strings"
)

const (
	nonceBytes = 12
	tagBytes   = 16
)

// keyRing holds the keys of tenants by purpose and key id, as the file spells them.
type keyRing struct {
	Tenants map[string]map[string]struct {
		Keys map[string]string `json:"keys"`
	} `json:"tenants"`
}

func readKeyRing(path string) (keyRing, error) {
	var ring keyRing
	text, err := os.ReadFile(path)
	if err != nil {
		return ring, fmt.Errorf("the key ring: %w", err)
	}
	if err := json.Unmarshal(text, &ring); err != nil {
		return ring, fmt.Errorf("the key ring is not JSON: %w", err)
	}
	return ring, nil
}

// checkSeal authenticates topic, key, headers and value of a record with the tenant's envelope key.
func checkSeal(topic, key string, headers map[string]string, value []byte, ring keyRing) error {
	keyID, text, found := strings.Cut(headers["ce_seal"], ".")
	if !found {
		return errors.New("the record has no seal")
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || len(raw) != nonceBytes+tagBytes {
		return errors.New("the seal is not nonce and tag in base64")
	}
	secret, err := base64.StdEncoding.DecodeString(ring.Tenants[headers["ce_tenantid"]]["envelope"].Keys[keyID])
	if err != nil || len(secret) == 0 {
		return fmt.Errorf("no envelope key %q of this tenant in the key ring", keyID)
	}
	associated, err := associatedData(topic, key, headers, value)
	if err != nil {
		return err
	}
	block, err := aes.NewCipher(secret)
	if err != nil {
		return err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return err
	}
	if _, err := aead.Open(nil, raw[:nonceBytes], raw[nonceBytes:], associated); err != nil {
		return errors.New("the seal does not hold")
	}
	if headers["ce_subject"] != key {
		return errors.New("ce_subject is not the record's key")
	}
	return nil
}

// associatedData is what the seal covers: topic, key, each sealed header by name, an empty line, the value's bytes.
func associatedData(topic, key string, headers map[string]string, value []byte) ([]byte, error) {
	names := make([]string, 0, len(headers))
	for name := range headers {
		if name != "ce_seal" && name != "traceparent" {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	lines := []string{topic, key}
	for _, name := range names {
		lines = append(lines, name+":"+headers[name])
	}
	text := strings.Join(lines, "\n")
	if strings.Count(text, "\n") != len(lines)-1 {
		return nil, errors.New("topic, key or a header holds a line break")
	}
	return append([]byte(text+"\n\n"), value...), nil
}
