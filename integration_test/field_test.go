package integration_test

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// setField sets the field of a struct whose name is key in any letter case. A bool needs no value, numbers of bytes may end in K, M
// or G, and times are RFC 3339. FIELD.KEY is a field of a struct field, or a key of a map field.
func setField(target any, key, value string) error {
	v := reflect.ValueOf(target).Elem()
	if outer, inner, ok := strings.Cut(key, "."); ok {
		key = outer
		switch field := v.FieldByNameFunc(func(name string) bool { return strings.EqualFold(name, outer) }); field.Kind() {
		case reflect.Struct:
			return setField(field.Addr().Interface(), inner, value)
		case reflect.Map:
			m := reflect.MakeMap(field.Type()) // a copy, since the old one may be in use
			for _, k := range field.MapKeys() {
				m.SetMapIndex(k, field.MapIndex(k))
			}
			m.SetMapIndex(reflect.ValueOf(inner), reflect.ValueOf(value))
			field.Set(m)
			return nil
		}
	}
	field := v.FieldByNameFunc(func(name string) bool { return strings.EqualFold(name, key) })
	if !field.IsValid() || !field.CanSet() {
		return fmt.Errorf("%s has no %q", v.Type(), key)
	}
	switch field.Interface().(type) {
	case time.Duration:
		d, err := time.ParseDuration(value)
		field.SetInt(int64(d))
		return err
	case time.Time:
		t, err := time.Parse(time.RFC3339, value)
		field.Set(reflect.ValueOf(t))
		return err
	}
	switch field.Kind() {
	case reflect.Bool:
		on, err := strconv.ParseBool(value)
		if value == "" {
			on, err = true, nil
		}
		field.SetBool(on)
		return err
	case reflect.Int, reflect.Int64:
		n, err := size(value)
		field.SetInt(n)
		return err
	case reflect.String:
		field.SetString(value)
		return nil
	default:
		return fmt.Errorf("%q can't be written in a script", key)
	}
}
