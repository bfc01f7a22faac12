package integration_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"assetfs/remote/fakeapi"

	"github.com/rogpeppe/go-internal/testscript"
)

// set changes settings of the API. They are the fields of fakeapi.Config in lower case (norange, nometadata, latency=DURATION,
// rate=BYTES a second, key=KEY, downloads.rates=1/s,12/m, metadata.mode=bucket, ...), and
//
//	range metadata     the opposites of norange and nometadata
//	key=default        the key in $KEYFILE
//	limits=RATES       downloads.rates and metadata.rates
//	nofaults           remove the faults for all assets set so far
//	fault.KEY=VALUE    add such a fault, as for an asset (see put)
func (a *api) set(settings []string) error {
	c := a.fake.Config()
	var errs []error
	var fault fakeapi.Fault
	for _, setting := range settings {
		key, value, _ := strings.Cut(setting, "=")
		switch setting {
		case "range", "metadata":
			key, value = "no"+setting, "false"
		case "key=default":
			value = apiKey
		}
		name, ofFault := strings.CutPrefix(key, "fault.")
		switch {
		case ofFault:
			errs = append(errs, setFault(&fault, name, value))
		case key == "nofaults":
			c.Faults = nil
		case key == "limits":
			c.Downloads.Rates, c.Metadata.Rates = value, value
		default:
			errs = append(errs, setField(&c, key, value))
		}
	}
	if !reflect.ValueOf(fault).IsZero() {
		c.Faults = append(slices.Clone(c.Faults), fault)
	}
	if err := errors.Join(append(errs, c.Check())...); err != nil {
		return err
	}
	a.fake.Configure(func(now *fakeapi.Config) { *now = c })
	return nil
}

// series matches a series of IDs, written as in bash: re_{1..20}.
var series = regexp.MustCompile(`^(.*)\{(\d+)\.\.(\d+)\}(.*)$`)

// asset adds an asset, or changes it if it exists. With an ID such as re_{1..20} it adds twenty, and {} in a value is the number.
func (a *api) asset(ts *testscript.TestScript, id string, settings []string) error {
	m := series.FindStringSubmatch(id)
	if m == nil {
		return a.put(ts, id, settings)
	}
	first, err1 := strconv.Atoi(m[2])
	last, err2 := strconv.Atoi(m[3])
	errs := []error{err1, err2}
	for i := first; i <= last; i++ {
		n := strconv.Itoa(i)
		numbered := make([]string, len(settings))
		for j, s := range settings {
			numbered[j] = strings.ReplaceAll(s, "{}", n)
		}
		errs = append(errs, a.put(ts, m[1]+n+m[4], numbered))
	}
	return errors.Join(errs...)
}

// put adds or changes one asset. Keys are the fields of fakeapi.Asset in lower case, and
//
//	disposition=HEADER       as in fakeapi, but \xNN is a byte
//	text=TEXT file=FILE      the content, instead of size=SIZE of computed content
//	nofaults                 remove the faults set so far
//	fault.KEY=VALUE          the fields of one fakeapi.Fault in lower case, which is added
//	fault.header.NAME=VALUE  a field of the response; \xNN is a byte
func (a *api) put(ts *testscript.TestScript, id string, settings []string) error {
	asset, ok := a.fake.Asset(id)
	if !ok {
		asset = fakeapi.Asset{ID: id}
	}
	asset.Faults = append([]fakeapi.Fault(nil), asset.Faults...)
	var fault fakeapi.Fault
	for _, setting := range settings {
		key, value, _ := strings.Cut(setting, "=")
		var err error
		if name, ok := strings.CutPrefix(key, "fault."); ok {
			err = setFault(&fault, name, value)
		} else {
			err = setAsset(ts, &asset, key, value)
		}
		if err != nil {
			return fmt.Errorf("asset %s, %s: %w", id, setting, err)
		}
	}
	if !reflect.ValueOf(fault).IsZero() {
		asset.Faults = append(asset.Faults, fault)
	}
	if err := asset.Check(); err != nil {
		return err
	}
	a.fake.Put(asset)
	return nil
}

// setFault sets one property of a fault.
func setFault(fault *fakeapi.Fault, key, value string) error {
	if strings.HasPrefix(key, "header.") {
		value = unescapeBytes(value)
	}
	return setField(fault, key, value)
}

// setAsset sets one property of an asset.
func setAsset(ts *testscript.TestScript, asset *fakeapi.Asset, key, value string) error {
	switch key {
	case "disposition":
		asset.Disposition = unescapeBytes(value)
	case "size":
		asset.Content = nil
		return setField(asset, key, value)
	case "text":
		asset.Content, asset.Size = strings.NewReader(value), int64(len(value))
	case "file":
		data, err := os.ReadFile(ts.MkAbs(value))
		if err != nil {
			return err
		}
		asset.Content, asset.Size = bytes.NewReader(data), int64(len(data))
	case "nofaults":
		asset.Faults = nil
	default:
		return setField(asset, key, value)
	}
	return nil
}

// byteEscape matches an escaped byte, which a script can't hold as it is.
var byteEscape = regexp.MustCompile(`\\x[0-9a-f]{2}`)

// unescapeBytes replaces \xNN by the byte.
func unescapeBytes(s string) string {
	return byteEscape.ReplaceAllStringFunc(s, func(e string) string {
		n, err := strconv.ParseUint(e[2:], 16, 8)
		if err != nil {
			return e
		}
		return string([]byte{byte(n)})
	})
}
