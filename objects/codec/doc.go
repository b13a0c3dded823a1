// Package codec cuts the bytes of files into chunks, and turns chunks into their
// stored form and back: filters, compression, deltas, and nodes with the places of
// what they name. It knows nothing of packs, trees and repositories. Its one
// invariant: what it makes of bytes is a function of these bytes (and of a delta's
// bases) alone, and a decoder gives back those bytes or an error, and never takes
// more memory than its caller has allowed. The format stands in package objects.
package codec
