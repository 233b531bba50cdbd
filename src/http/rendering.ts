import type { Bmc, Row } from '../bmc/bmc.ts'
import { etagOf, etagOfText } from '../redfish/etag.ts'
import { firstPage } from '../redfish/query/page.ts'
import type { Resource } from '../redfish/resource.ts'
import { jsonSchemaUri } from '../redfish/schema-locations.ts'
import { JSON_TYPE } from './errors.ts'

/** A resource as it goes over the wire. */
export interface Rendering {
  /** All of it, where the body holds only the first page of a collection. */
  readonly resource: Resource
  readonly body: Buffer
  readonly etag: string
  readonly headers: Readonly<Record<string, string>>
}

const MAX_RENDERINGS = 2_000

/**
 * Rendered resources, kept until their BMC commits. The ETag is a digest of the body: a commit that did not touch a
 * resource leaves its ETag as it was, and no list of who depends on what can go wrong.
 */
export class Renderings {
  readonly #kept = new Map<
    string,
    { readonly bmc: Bmc; readonly version: number; readonly rendering: Rendering }
  >()
  readonly #pageSize: number

  constructor(pageSize: number) {
    this.#pageSize = pageSize
  }

  /** The rendering of what `view` shows at `path`, made anew only after a commit. */
  get(bmc: Bmc, path: string, row: Row, view: () => Resource | undefined): Rendering | undefined {
    const key = `${bmc.id} ${path}`
    const kept = this.#kept.get(key)
    if (kept?.bmc === bmc && kept.version === bmc.state.version) return kept.rendering
    const resource = view()
    if (resource === undefined) return undefined
    const rendering = render(resource, row, this.#pageSize)
    if (this.#kept.size >= MAX_RENDERINGS) this.#kept.clear()
    this.#kept.set(key, { bmc, version: bmc.state.version, rendering })
    return rendering
  }
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

function render(resource: Resource, row: Row, pageSize: number): Rendering {
  const plain = JSON.stringify(firstPage(resource, pageSize))
  const etag = '@Redfish.Settings' in resource ? etagOf(resource) : etagOfText(plain)
  const body = Buffer.from(`${plain.slice(0, -1)},"@odata.etag":${JSON.stringify(etag)}}`)
  return { resource, body, etag, headers: headersOf(resource, etag, row) }
}
