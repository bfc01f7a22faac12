package fakeapi

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"math"
)

// light is a time of day over the mountains.
type light struct {
	zenith, horizon rgb
	disc            rgb        // sun or moon
	discAt          [2]float64 // across and up, from 0 to 1
	radius          float64    // of the disc, in heights of the sky
	far, near       rgb        // the farthest and the nearest ridge
	stars           bool
}

// rgb is a colour from 0 to 1.
type rgb [3]float64

func dawn() light {
	return light{
		zenith: rgb{.16, .20, .42}, horizon: rgb{1, .66, .42}, disc: rgb{1, .93, .74}, discAt: [2]float64{.64, .30}, radius: .055,
		far: rgb{.78, .48, .48}, near: rgb{.09, .07, .16},
	}
}

func day() light {
	return light{
		zenith: rgb{.16, .43, .80}, horizon: rgb{.80, .92, .98}, disc: rgb{1, 1, .90}, discAt: [2]float64{.28, .78}, radius: .05,
		far: rgb{.60, .74, .84}, near: rgb{.10, .27, .17},
	}
}

func night() light {
	return light{
		zenith: rgb{.01, .02, .07}, horizon: rgb{.12, .17, .32}, disc: rgb{.93, .93, .86}, discAt: [2]float64{.72, .68}, radius: .045,
		far: rgb{.12, .16, .28}, near: rgb{.01, .02, .04}, stars: true,
	}
}

// mixed returns a at 0, b at 1, and a mixture in between.
func mixed(a, b rgb, at float64) rgb {
	at = min(max(at, 0), 1)
	for i := range a {
		a[i] += (b[i] - a[i]) * at
	}
	return a
}

// ridges is the number of mountain ranges, one behind the other. shore is how far down the
// picture the lake begins.
const (
	ridges = 5
	shore  = .72
)

// landscape paints mountains at a lake, as a PNG.
func landscape(width, height int, l light) []byte {
	// The upper part comes first, because the lake mirrors it.
	top := int(float64(height) * shore)
	sky := make([]rgb, width*top)
	aspect := float64(width) / float64(top)
	for x := range width {
		across := float64(x) / float64(width)
		var crest [ridges]float64
		for i := range crest {
			crest[i] = ridge(i, across*aspect)
		}
		for y := range top {
			up := 1 - float64(y)/float64(top)
			c := l.sky(across, up, aspect, x, y)
			for i, h := range crest {
				if up < h {
					c = mixed(l.far, l.near, float64(i)/(ridges-1))
					// Mist lies in the valleys.
					c = mixed(mixed(c, l.horizon, .45), c, up/h*1.6-.2)
				}
			}
			sky[y*width+x] = c
		}
	}
	img := image.NewNRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			var c rgb
			if y < top {
				c = sky[y*width+x]
			} else {
				depth := float64(y-top) / float64(height-top)
				wave := math.Sin(float64(y-top)*.9/(.3+depth)+math.Sin(float64(x)*.013)*2) * (1 + 5*depth)
				from := top - 1 - int(float64(y-top)*1.9+wave)
				c = sky[min(max(from, 0), top-1)*width+min(max(x+int(wave), 0), width-1)]
				c = mixed(c, l.near, .18+.35*depth)
			}
			img.SetNRGBA(x, y, quantized(c, x, y))
		}
	}
	var b bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestSpeed}
	if err := encoder.Encode(&b, img); err != nil {
		panic(err) // the picture is not empty, and a buffer never fails
	}
	return b.Bytes()
}

// sky returns the colour behind the mountains.
func (l light) sky(across, up, aspect float64, x, y int) rgb {
	c := mixed(l.horizon, l.zenith, math.Pow(up, .8))
	if l.stars {
		// One pixel in 400 holds a star, each with its own brightness.
		if n := noise(x, y); n > .9975 {
			c = mixed(c, rgb{1, 1, 1}, (n-.9975)/.0025*up)
		}
	}
	d := math.Hypot((across-l.discAt[0])*aspect, up-l.discAt[1])
	c = mixed(c, l.disc, .55*math.Exp(-d*d*14)+.35*math.Exp(-d*8))
	return mixed(l.disc, c, (d-l.radius)*250)
}

// ridge returns the height of a mountain range at x: waves of doubling frequency, folded to
// get edges.
func ridge(i int, x float64) float64 {
	h, amplitude, frequency := 0., .5, 1.1+.35*float64(i)
	for octave := range 7 {
		phase := 2 * math.Pi * noise(i+1, octave+100)
		h += amplitude * (1 - math.Abs(math.Sin(x*frequency+phase)))
		amplitude /= 2.1
		frequency *= 2.03
	}
	back := 1 - float64(i)/ridges
	return .04 + .50*back*h + .06*back
}

// noise returns a number from 0 to 1 that depends only on x and y.
func noise(x, y int) float64 {
	return float64(mix(uint64(x)*golden^mix(uint64(y)+1))>>11) / (1 << 53)
}

// quantized returns c in eight bits, with noise instead of bands.
func quantized(c rgb, x, y int) color.NRGBA {
	n := noise(x, y)
	q := func(v float64) uint8 { return uint8(min(max(v*255+n, 0), 255)) }
	return color.NRGBA{q(c[0]), q(c[1]), q(c[2]), 255}
}
