package integration_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
)

// guarded turns a SIGBUS into an error.
func (w *modelWorker) guarded(name string, h *modelHandle, off int64, n int) (got []byte, err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		fault := recover()
		if _, ok := fault.(interface{ Addr() uintptr }); ok {
			err = errFault
		} else if fault != nil {
			panic(fault)
		}
	}()
	return stressWays[name](&w.stressMeans, &h.stressHandle, off, n)
}

// modelReference returns the file with the bytes of a version.
func modelReference(dir, id string, version int) string {
	return filepath.Join(dir, fmt.Sprintf("%s.%d", id, version))
}

// compare fails unless got agrees with a version that all earlier reads agreed with.
func (h *modelHandle) compare(got []byte, off int64, ref string) error {
	left := h.versions[:0:0]
	for _, v := range h.versions {
		f, err := os.Open(modelReference(ref, h.asset.ID, v))
		if err != nil {
			return fmt.Errorf("reference: %v", err) //nolint:errorlint // it must not look like an error of the asset
		}
		want := make([]byte, len(got))
		_, err = f.ReadAt(want, off)
		f.Close()
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("reference: %v", err) //nolint:errorlint // as above
		}
		if bytes.Equal(got, want) {
			left = append(left, v)
		}
	}
	if len(left) == 0 {
		return fmt.Errorf("%d bytes at %d of %s are of none of the versions %v", len(got), off, h.asset.ID, h.versions)
	}
	h.versions = left
	return nil
}

// sweep reads an asset from beginning to end.
func (w *modelWorker) sweep(a *modelAsset) error {
	h, err := w.openFile(a)
	if err != nil {
		return err
	}
	defer h.close()
	for off := int64(0); ; {
		got, err := w.pread(&h.stressHandle, off, 256<<10)
		if err != nil {
			return err
		}
		if err := h.compare(got, off, w.job.Ref); err != nil {
			return err
		}
		if off += int64(len(got)); len(got) == 0 {
			if off != a.Size {
				return fmt.Errorf("%s ends at %d, of %d bytes", a.ID, off, a.Size)
			}
			return nil
		}
	}
}
