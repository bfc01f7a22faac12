package fakeapi

import (
	"bytes"
	"encoding/binary"
	"math"
)

// musicBox is a WAV file of a tune on a music box: 16 bits, one channel.
func musicBox() []byte {
	const (
		rate    = 44100
		beat    = .42    // seconds
		ring    = 1.8    // seconds until a tooth is silent
		middleC = 261.63 // Hz
	)
	// The theme of Beethoven's Ninth (1824), as semitones above C and beats.
	tune := [][2]float64{
		{4, 1},
		{4, 1},
		{5, 1},
		{7, 1},
		{7, 1},
		{5, 1},
		{4, 1},
		{2, 1},
		{0, 1},
		{0, 1},
		{2, 1},
		{4, 1},
		{4, 1.5},
		{2, .5},
		{2, 2},
		{4, 1},
		{4, 1},
		{5, 1},
		{7, 1},
		{7, 1},
		{5, 1},
		{4, 1},
		{2, 1},
		{0, 1},
		{0, 1},
		{2, 1},
		{4, 1},
		{2, 1.5},
		{0, .5},
		{0, 2},
	}
	beats := 0.
	for _, note := range tune {
		beats += note[1]
	}
	sound := make([]float64, int((beats*beat+ring)*rate))
	pluck := func(at, frequency, volume float64) {
		// The tooth of a steel comb: its overtones are high and fade first.
		for _, partial := range [][3]float64{{1, 1, 3}, {2.76, .35, 7}, {5.40, .15, 14}} {
			step := 2 * math.Pi * frequency * partial[0] / rate
			decay, left := math.Exp(-partial[2]/rate), volume*partial[1]
			for i := range int(ring * rate) {
				attack := min(float64(i)*400/rate, 1) // 2.5 ms; otherwise it clicks
				sound[int(at*rate)+i] += left * attack * math.Sin(step*float64(i))
				left *= decay
			}
		}
	}
	at := 0.
	for i, note := range tune {
		frequency := 2 * middleC * math.Exp2(note[0]/12)
		pluck(at, frequency, .30)
		if i%2 == 0 { // the root of the chord: C, or G for notes that C does not have
			root := 0.
			if note[0] == 2 || note[0] == 5 {
				root = -5
			}
			pluck(at, middleC*math.Exp2(root/12), .14)
		}
		at += note[1] * beat
	}

	samples := make([]int16, len(sound))
	for i, v := range sound {
		samples[i] = int16(math.MaxInt16 * math.Tanh(v))
	}
	var b bytes.Buffer
	size := uint32(2 * len(samples))
	for _, field := range []any{
		[]byte("RIFF"), 36 + size, []byte("WAVEfmt "),
		uint32(16), uint16(1), uint16(1), uint32(rate), uint32(2 * rate), uint16(2), uint16(16), // PCM
		[]byte("data"), size, samples,
	} {
		if err := binary.Write(&b, binary.LittleEndian, field); err != nil {
			panic(err) // all have a fixed size, and a buffer never fails
		}
	}
	return b.Bytes()
}
