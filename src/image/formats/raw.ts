import type { RawRule } from '../../bmc/machine.ts'
import { fail, succeed } from '../../lib/result.ts'
import { withinTime } from '../../lib/within-time.ts'
import type { ImageComponent } from '../image-format.ts'
import type { ImageBytes, Reading } from '../reading.ts'

/** Read at once: each watch over a pattern costs a thread. */
const PART_BYTES = 2 ** 20
/** How much a pattern sees at once: bounds what one costs that looks back often. */
const WINDOW_BYTES = 2 ** 10
/** What two windows share: no match is longer. */
const OVERLAP_BYTES = 2 ** 8
/** Those that look back for ever are given up: the machine's data has them, and the image's bytes are made for them. */
const PATIENCE_MS = 500
const VERSION = /^[!-~](?:[ -~]{0,98}[!-~])?$/

/**
 * Reads bytes of no format, for any component whose pattern finds its version in them: a request that names the
 * component says for which of them they are.
 */
export function* readRaw(image: ImageBytes, rules: readonly RawRule[]): Reading {
  const sha256 = image.digest({ start: 0, algorithm: 'sha256' })
  const patterns = rules.flatMap(({ component, version }) => (version ? [{ component, version }] : []))
  const versions = new Map(rules.flatMap(({ component, version }) => (version ? [] : [[component, '']])))
  const givenUp = new Set<string>()
  let text = ''
  for (let isLast = false; !isLast && versions.size + givenUp.size < rules.length;) {
    const bytes = yield* image.takeUpTo(PART_BYTES)
    isLast = bytes.byteLength < PART_BYTES
    text += Buffer.from(bytes).toString('latin1')
    for (const { component, version } of patterns) {
      if (versions.has(component) || givenUp.has(component)) continue
      const seen = text
      const found = withinTime(() => findVersion(seen, version, isLast), PATIENCE_MS)
      if (found === 'too-long') givenUp.add(component)
      else if (found !== undefined) versions.set(component, found)
    }
    text = text.slice(-OVERLAP_BYTES)
  }
  yield* image.end()
  if (versions.size === 0) return fail({ kind: 'unknown-format' })
  const components = rules.flatMap(({ component }): ImageComponent[] => {
    const version = versions.get(component)
    if (version === undefined) return []
    const bytes = { start: 0, sizeBytes: image.position, sha256: sha256.hex }
    const fits = { kind: 'named', component } as const
    // Of what nothing is known nobody can say that it is old.
    const isUnknown = version === '' && { name: 'Firmware image', isForced: true }
    const facts = { name: component, version, releaseDate: undefined, fits, requires: [], ...isUnknown }
    return [{ ...facts, ...bytes }]
  })
  return succeed({ format: 'VendorDefined', components, signatures: [] })
}

/** The first version in the text; one that touches the end may go on there, unless nothing follows. */
function findVersion(text: string, pattern: RegExp, isLast: boolean): string | undefined {
  for (let at = 0; at < text.length; at += WINDOW_BYTES - OVERLAP_BYTES) {
    const window = text.slice(at, at + WINDOW_BYTES)
    const mayGoOn = !isLast || at + WINDOW_BYTES < text.length
    for (const match of window.matchAll(pattern)) {
      const [all, version = all] = match
      const touchesEnd = match.index + all.length === window.length
      if (VERSION.test(version) && !(touchesEnd && mayGoOn)) return version
    }
  }
  return undefined
}
