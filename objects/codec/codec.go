package codec

import (
	"fmt"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"

	"github.com/datafs/datafs/index"
)

// Codecs of a stored chunk, as in the format.
const (
	Raw   = 0
	Zstd  = 1
	S2    = 2 // read only: no encoder makes it
	Delta = index.CodecDelta
)

// Encoder compresses chunks one after another. It is for one goroutine.
type Encoder struct {
	zstd     *zstd.Encoder
	huffman  huffman
	shuffled []byte
}

// Encode appends the stored form of raw to dst. With codec raw nothing is
// appended and the stored form is raw itself. It looks at a sample: what does not
// shrink stays raw, arrays of numbers are shuffled first, all else gets zstd.
func (e *Encoder) Encode(dst, raw []byte) (out []byte, codec, filter uint8) {
	if len(raw) < 32 {
		return dst, Raw, 0
	}
	filter, worth := trial(raw)
	if !worth {
		return dst, Raw, 0
	}
	base := len(dst)
	out = e.squeeze(dst, e.filtered(raw, filter), filter)
	if len(out)-base > len(raw)-len(raw)/64 {
		return out[:base], Raw, 0
	}
	return out, Zstd, filter
}

// filtered returns raw as a filter makes it, which is good until the next call.
func (e *Encoder) filtered(raw []byte, filter uint8) []byte {
	if filter == 0 {
		return raw
	}
	if cap(e.shuffled) < len(raw) {
		e.shuffled = make([]byte, max(len(raw), 256<<10))
	}
	dst := e.shuffled[:len(raw)]
	applyFilter(dst, raw, filter)
	return dst
}

func (e *Encoder) squeeze(dst, src []byte, filter uint8) []byte {
	if filter != 0 {
		return e.planes(dst, src, int(filter&filterWidth))
	}
	return e.zstdEncoder().EncodeAll(src, dst)
}

func (e *Encoder) zstdEncoder() *zstd.Encoder {
	if e.zstd == nil {
		e.zstd = newZstdEncoder()
	}
	return e.zstd
}

func newZstdEncoder() *zstd.Encoder {
	// The window comes before the level, which would halve the size of blocks without
	// it: a chunk in one block needs no history.
	enc, err := zstd.NewWriter(nil, zstd.WithWindowSize(1<<20), zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1),
		zstd.WithEncoderCRC(false), zstd.WithSingleSegment(true), zstd.WithLowerEncoderMem(true))
	if err != nil {
		panic(err) // the options are constants
	}
	return enc
}

// Decoder undoes encode. It is for one goroutine.
type Decoder struct {
	zstd     *zstd.Decoder
	shuffled []byte
}

// Decode appends the raw bytes of a stored chunk to dst. It never makes more
// than rawLen bytes, which the caller has bounded.
func (d *Decoder) Decode(dst, stored []byte, codec, filter uint8, rawLen int) ([]byte, error) {
	if codec == Located {
		var err error
		if codec, filter, stored, _, err = splitLocated(stored); err != nil {
			return dst, err
		}
	}
	base := len(dst)
	dst = Grow(dst, rawLen)
	target := dst[base:base]
	if filter != 0 {
		if cap(d.shuffled) < rawLen {
			d.shuffled = make([]byte, 0, max(rawLen, 256<<10))
		}
		target = d.shuffled[:0]
	}
	raw, err := d.expand(target, stored, codec, rawLen)
	if err != nil {
		return dst[:base], err
	}
	if len(raw) != rawLen {
		return dst[:base], fmt.Errorf("%d bytes, want %d", len(raw), rawLen)
	}
	dst = dst[:base+rawLen]
	if filter == 0 {
		copy(dst[base:], raw) // no-op when decoded in place
		return dst, nil
	}
	if !validFilter(filter) {
		return dst[:base], fmt.Errorf("unknown filter %d", filter)
	}
	if codec == Raw {
		raw = append(target, raw...) // it is the caller's, and the filter is undone in place
	}
	undoFilter(dst[base:], raw, filter)
	return dst, nil
}

func (d *Decoder) expand(target, stored []byte, codec uint8, rawLen int) ([]byte, error) {
	switch codec {
	case Raw:
		return stored, nil
	case S2:
		if n, err := s2.DecodedLen(stored); err != nil || n != rawLen {
			return nil, fmt.Errorf("s2 block of %d bytes, want %d", n, rawLen)
		}
		return s2.Decode(target[:rawLen], stored)
	case Zstd:
		if d.zstd == nil {
			d.zstd = newZstdDecoder()
		}
		var h zstd.Header
		if err := h.Decode(stored); err != nil {
			return nil, err
		}
		if !h.HasFCS || h.FrameContentSize > uint64(rawLen) {
			return nil, fmt.Errorf("zstd frame does not announce %d bytes or less", rawLen)
		}
		return d.zstd.DecodeAll(stored, target)
	}
	return nil, fmt.Errorf("unknown codec %d", codec)
}

func newZstdDecoder() *zstd.Decoder {
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(MaxChunk),
		zstd.WithDecoderLowmem(true), zstd.WithDecodeAllCapLimit(true)) // or a second frame could ask for more
	if err != nil {
		panic(err) // the options are constants
	}
	return dec
}

// Grow makes room for n more bytes behind b.
func Grow(b []byte, n int) []byte {
	if cap(b)-len(b) >= n {
		return b
	}
	return append(make([]byte, 0, len(b)+n), b...)
}
