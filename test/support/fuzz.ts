import * as fc from 'fast-check'

/** How often a property is tried: many times before an issue is resolved (`npm run proof`). */
export function runs(usual: number): { readonly numRuns: number } {
  return { numRuns: process.env['PROOF'] === undefined ? usual : 2_000 }
}

/** How often what is quickly tried is tried: 2,000 times in all of a kind, and 200,000 before an issue is resolved. */
export function cases(usual: number): { readonly numRuns: number } {
  return { numRuns: process.env['PROOF'] === undefined ? usual : usual * 100 }
}

/** How long that may take. */
export const CASES_MS = 20 * 60_000

/** A change to bytes: what bad disks, proxies and people do. */
export type Mutation = (bytes: Buffer) => Buffer

/** Some mutations, one after the other; `snippets` are what may be inserted. */
export function mutations(snippets: readonly string[]): fc.Arbitrary<Mutation> {
  // Doubles would nearly all be close to 0.
  const place = fc.noBias(fc.nat(999_999)).map((part) => part / 1_000_000)
  const at = (bytes: Buffer, share: number): number => Math.floor(share * bytes.length)
  const cut = place.map(
    (share): Mutation =>
      (bytes) =>
        bytes.subarray(0, at(bytes, share)),
  )
  const flip = fc.tuple(place, fc.integer({ min: 1, max: 255 })).map(([share, mask]): Mutation => {
    return (bytes) => {
      const copy = Buffer.from(bytes)
      const index = at(bytes, share)
      if (index < copy.length) copy.writeUInt8(copy.readUInt8(index) ^ mask, index)
      return copy
    }
  })
  const insert = fc
    .tuple(
      place,
      fc.oneof(
        fc.constantFrom(...snippets).map((text) => Buffer.from(text)),
        fc.uint8Array({ maxLength: 40 }),
      ),
    )
    .map(
      ([share, piece]): Mutation =>
        (bytes) =>
          Buffer.concat([bytes.subarray(0, at(bytes, share)), piece, bytes.subarray(at(bytes, share))]),
    )
  const remove = fc.tuple(place, fc.integer({ min: 1, max: 600 })).map(
    ([share, length]): Mutation =>
      (bytes) =>
        Buffer.concat([bytes.subarray(0, at(bytes, share)), bytes.subarray(at(bytes, share) + length)]),
  )
  const repeat = fc.tuple(place, place).map(
    ([from, to]): Mutation =>
      (bytes) =>
        Buffer.concat([
          bytes.subarray(0, at(bytes, Math.max(from, to))),
          bytes.subarray(at(bytes, Math.min(from, to))),
        ]),
  )
  return fc
    .array(fc.oneof(cut, flip, flip, insert, insert, remove, repeat), { minLength: 1, maxLength: 4 })
    .map(
      (all): Mutation =>
        (bytes) =>
          all.reduce((changed, mutate) => mutate(changed), bytes),
    )
}

/** Bytes in pieces whose lengths come from `lengths`, again and again. */
export function* inPieces(bytes: Buffer, lengths: readonly number[]): Iterable<Buffer> {
  let at = 0
  for (let turn = 0; at < bytes.length; turn++) {
    const length = lengths[turn % lengths.length] ?? bytes.length
    yield bytes.subarray(at, at + length)
    at += length
  }
}

/** Lengths of pieces: tiny ones, odd ones, ordinary ones. */
export const pieceLengths = fc.array(
  fc.oneof(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 100, max: 1_100 }), fc.constant(65_536)),
  { minLength: 1, maxLength: 6 },
)
