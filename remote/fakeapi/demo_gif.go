package fakeapi

import (
	"bytes"
	"image"
	"image/color"
	"image/gif"
	"math"
)

// lavaLamp is a GIF of warm drops that rise, sink and merge. After the last frame each drop
// is back at its start, so the loop has no seam.
func lavaLamp() []byte {
	const (
		width, height = 180, 260
		frames        = 48
		delay         = 6 // hundredths of a second
		colours       = 48
		drops         = 6
	)
	palette := make(color.Palette, colours)
	for i := range palette {
		at := float64(i) / (colours - 1)
		c := mixed(rgb{.08, .03, .20}, rgb{.75, .08, .32}, at*2)
		c = mixed(c, rgb{1, .78, .25}, at*2-1)
		palette[i] = color.NRGBA{uint8(c[0] * 255), uint8(c[1] * 255), uint8(c[2] * 255), 255}
	}
	g := &gif.GIF{}
	for frame := range frames {
		turn := 2 * math.Pi * float64(frame) / frames
		var at [drops][3]float64 // across, down, size squared
		for d := range at {
			phase := 2 * math.Pi * noise(d, 1)
			at[d] = [3]float64{
				width * (.5 + .22*math.Sin(turn+phase*3)),
				height * (.5 - .42*math.Cos(turn*float64(1+d%2)+phase)),
				math.Pow(14+14*noise(d, 2), 2),
			}
		}
		img := image.NewPaletted(image.Rect(0, 0, width, height), palette)
		for y := range height {
			for x := range width {
				heat := .12 * float64(y) / height
				for _, d := range at {
					dx, dy := float64(x)-d[0], float64(y)-d[1]
					heat += .5 * d[2] / (dx*dx + dy*dy + 1)
				}
				// Tanh keeps the middle of a drop within the palette.
				img.Pix[y*img.Stride+x] = uint8((colours - 1) * math.Tanh(heat*heat*1.1))
			}
		}
		g.Image = append(g.Image, img)
		g.Delay = append(g.Delay, delay)
	}
	var b bytes.Buffer
	if err := gif.EncodeAll(&b, g); err != nil {
		panic(err) // all frames have the same size, and a buffer never fails
	}
	return b.Bytes()
}
