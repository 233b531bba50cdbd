import { hash } from 'node:crypto'
import { ofEach } from '../lib/of-each.ts'
import { memberPointer, setPointer } from '../redfish/pointer.ts'
import { isObject, type Json, type JsonObject } from '../redfish/resource.ts'

/** Whose identity it is: BMCs of one seed and different Ids differ, and so do those of different seeds. */
export interface Identity {
  readonly id: string
  /** Of the fleet; `undefined`: the machine is the only one of its kind, and shows its own. */
  readonly seed: string | undefined
}

type Derive = (original: string, digest: Uint8Array, id: string) => string

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i
const MAC = /^[0-9a-f]{2}([:-][0-9a-f]{2}){5}$/i

/** What tells a machine from its like, wherever it stands in a resource. */
const members: ReadonlyMap<string, Derive> = new Map<string, Derive>([
  ['SerialNumber', serial],
  ['UUID', uuid],
  ['ServiceEntryPointUUID', uuid],
  ['MACAddress', mac],
  ['PermanentMACAddress', mac],
  ['DurableName', durableName],
  ['HostName', hostName],
  ['FQDN', hostName],
])

/** A member of a document that tells a machine from its like. */
interface Place {
  readonly pointer: string
  readonly original: string
  readonly derive: Derive
}

const placesOf = ofEach<JsonObject, { readonly all: readonly Place[] }>((document) => ({
  all: placesIn(document, '', ''),
}))

/**
 * A machine's document as this one of its like shows it: derived from what the machine shows, never stored. What is the
 * same in two places of the machine is the same in both places here.
 */
export function identified<T extends JsonObject>({ id, seed }: Identity, document: T): T {
  if (seed === undefined) return document
  const digestOf = (original: string): Uint8Array => hash('sha256', `${seed}\0${id}\0${original}`, 'buffer')
  return placesOf(document).all.reduce(
    (shown, { pointer, original, derive }) =>
      setPointer(shown, pointer, derive(original, digestOf(original), id)),
    document,
  )
}

function placesIn(value: Json | undefined, name: string, pointer: string): Place[] {
  if (Array.isArray(value))
    return value.flatMap((item: Json, index) => placesIn(item, name, `${pointer}/${index}`))
  if (isObject(value))
    return Object.entries(value).flatMap(([member, one]) =>
      placesIn(one, member, memberPointer(pointer, member)),
    )
  const derive = typeof value === 'string' && value !== '' ? members.get(name) : undefined
  return derive && typeof value === 'string' ? [{ pointer, original: value, derive }] : []
}

/** Digits stay digits and letters letters, large and small. */
function serial(original: string, digest: Uint8Array): string {
  let index = 0
  const next = (first: string, count: number): string =>
    String.fromCharCode(first.charCodeAt(0) + ((digest[index++ % digest.length] ?? 0) % count))
  return original.replaceAll(/[0-9]|[A-Z]|[a-z]/g, (one) => {
    if (one <= '9') return next('0', 10)
    return one <= 'Z' ? next('A', 26) : next('a', 26)
  })
}

/** Of the original's version (RFC 9562). */
function uuid(original: string, digest: Uint8Array): string {
  if (!UUID.test(original)) return serial(original, digest)
  const variant = 'ab89'.charAt((digest[9] ?? 0) % 4)
  const digits = hexadecimal(digest)
  const made = original.replaceAll(/[0-9a-f]/gi, (one, index: number) => {
    if (index === 14) return one
    return index === 19 ? variant : digits.charAt(index % digits.length)
  })
  return inCaseOf(original, made)
}

/** Locally administered, and of one interface. */
function mac(original: string, digest: Uint8Array): string {
  if (!MAC.test(original)) return serial(original, digest)
  const [first = 0, ...rest] = digest.subarray(0, 6)
  const octets = [(first & 0xfc) | 0x02, ...rest].map((octet) => octet.toString(16).padStart(2, '0'))
  return inCaseOf(original, octets.join(original[2]))
}

/** Of whatever format: an address, a UUID, or hexadecimal digits (NAA, EUI). */
function durableName(original: string, digest: Uint8Array): string {
  if (MAC.test(original)) return mac(original, digest)
  if (UUID.test(original)) return uuid(original, digest)
  const digits = hexadecimal(digest)
  const made = original.replaceAll(/[0-9a-f]/gi, (_one, index: number) =>
    digits.charAt(index % digits.length),
  )
  return inCaseOf(original, made)
}

/** The first label says whose it is; what the machine calls it follows, because a machine has several. */
function hostName(original: string, _digest: Uint8Array, id: string): string {
  return `${id.replaceAll('.', '-')}-${original}`
}

function hexadecimal(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}

function inCaseOf(original: string, made: string): string {
  return original === original.toUpperCase() ? made.toUpperCase() : made
}
