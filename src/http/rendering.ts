import type { Bmc, Row } from '../bmc/bmc.ts'
import { etagOf, etagOfText } from '../redfish/etag.ts'
import { firstPage } from '../redfish/query/page.ts'
import type { Resource } from '../redfish/resource.ts'
import { jsonSchemaUri } from '../redfish/schema-locations.ts'
import { JSON_TYPE } from './errors.ts'

/** A resource as it goes over the wire. */
export interface Rendering {
  readonly body: Buffer
  readonly etag: string
  readonly headers: Readonly<Record<string, string>>
}

/** Enough for what a client polls of twenty thousand BMCs. */
const MAX_BYTES = 128 * 2 ** 20
/** What it takes to know a rendering by its path and BMC, and what one takes beside its body. */
const ENTRY_BYTES = 100
const RENDERING_BYTES = 450

interface Kept {
  readonly version: number
  readonly text: Text
}

/** What is kept at one path, by the numbers of the BMCs: one that is gone must not be kept by it. */
type OfPath = Map<number, Kept>

/** A rendering, and how many show it: what is the same on many BMCs is kept once. */
interface Text {
  readonly rendering: Rendering
  readonly digest: string
  users: number
}

/**
 * Rendered resources, kept until their BMC commits, as many as fit. A resource itself is not kept: where it is
 * needed, its view makes it anew. The ETag is a digest of the body: a commit that did not touch a resource leaves its
 * ETag as it was, and no list of who depends on what can go wrong.
 */
export class Renderings {
  readonly #kept = new Map<string, OfPath>()
  readonly #texts = new Map<string, Text>()
  readonly #pageSize: number
  readonly #maxBytes: number
  #bytes = 0

  constructor(pageSize: number, maxBytes = MAX_BYTES) {
    this.#pageSize = pageSize
    this.#maxBytes = maxBytes
  }

  /** What it takes, about. */
  get bytes(): number {
    return this.#bytes
  }

  /** The rendering of what `view` shows at `path`, made anew only after a commit. */
  get(bmc: Bmc, path: string, row: Row, view: () => Resource | undefined): Rendering | undefined {
    const {
      number,
      state: { version },
    } = bmc
    const kept = this.#kept.get(path)?.get(number)
    if (kept?.version === version) return kept.text.rendering
    this.#forget(path, number)
    const resource = view()
    if (resource === undefined) return undefined
    const text = this.#textOf(resource, row)
    const ofPath = this.#kept.get(path) ?? new Map<number, Kept>()
    this.#kept.set(path, ofPath.set(number, { version, text }))
    this.#bytes += ENTRY_BYTES
    this.#makeRoom()
    return text.rendering
  }

  /** Of the path that has been kept for longest, what has been there for longest. */
  #makeRoom(): void {
    for (const [path, ofPath] of this.#kept) {
      for (const number of ofPath.keys()) {
        if (this.#bytes <= this.#maxBytes) return
        this.#forget(path, number)
      }
    }
  }

  #textOf(resource: Resource, row: Row): Text {
    const plain = JSON.stringify(firstPage(resource, this.#pageSize))
    const digest = etagOfText(plain)
    const known = this.#texts.get(digest)
    if (known !== undefined) {
      known.users++
      return known
    }
    const etag = '@Redfish.Settings' in resource ? etagOf(resource) : digest
    const body = bytesOf(`${plain.slice(0, -1)},"@odata.etag":${JSON.stringify(etag)}}`)
    const text = { rendering: { body, etag, headers: headersOf(resource, etag, row) }, digest, users: 1 }
    this.#texts.set(digest, text)
    this.#bytes += body.byteLength + RENDERING_BYTES
    return text
  }

  #forget(path: string, number: number): void {
    const ofPath = this.#kept.get(path)
    const text = ofPath?.get(number)?.text
    if (ofPath === undefined || text === undefined) return
    ofPath.delete(number)
    if (ofPath.size === 0) this.#kept.delete(path)
    this.#bytes -= ENTRY_BYTES
    if (--text.users > 0) return
    this.#texts.delete(text.digest)
    this.#bytes -= text.rendering.body.byteLength + RENDERING_BYTES
  }
}

/** In memory of its own: out of Node's pool, one body would keep all that was ever beside it. */
function bytesOf(text: string): Buffer {
  const bytes = Buffer.allocUnsafeSlow(Buffer.byteLength(text))
  bytes.write(text)
  return bytes
}

/** What stands on every answer that shows a resource. */
export function headersOf(resource: Resource, etag: string, row: Row): Rendering['headers'] {
  const schema = resource['@odata.type'].slice(1, resource['@odata.type'].lastIndexOf('.'))
  return {
    'Content-Type': JSON_TYPE,
    ETag: etag,
    Allow: allowOf(row, resource),
    Link: `<${jsonSchemaUri(schema)}>; rel=describedby`,
    Vary: 'Accept-Encoding',
  }
}

/** The methods that a resource of this row has: a PATCH only where it shows something that clients may write. */
export function allowOf({ post, patch, put, delete: remove }: Row, resource: Resource): string {
  const isOffered = (change: Row['patch']): boolean =>
    change !== undefined &&
    (change.writable === undefined || Object.keys(change.writable(resource)).length > 0)
  return [
    'GET',
    'HEAD',
    ...(post ? ['POST'] : []),
    ...(isOffered(patch) ? ['PATCH'] : []),
    ...(isOffered(put) ? ['PUT'] : []),
    ...(remove ? ['DELETE'] : []),
  ].join(', ')
}
