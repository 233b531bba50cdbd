import { hash } from 'node:crypto'
import type { Bmc } from '../bmc/bmc.ts'
import type { Resource } from '../redfish/resource.ts'
import { JSON_TYPE } from './errors.ts'

/** A resource as it goes over the wire. */
export interface Rendering {
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

  /** The rendering of what `view` shows at `path`, made anew only after a commit. */
  get(bmc: Bmc, path: string, view: () => Resource | undefined, allow: string): Rendering | undefined {
    const key = `${bmc.id} ${path}`
    const kept = this.#kept.get(key)
    if (kept?.bmc === bmc && kept.version === bmc.state.version) return kept.rendering
    const resource = view()
    if (resource === undefined) return undefined
    const rendering = render(resource, allow)
    if (this.#kept.size >= MAX_RENDERINGS) this.#kept.clear()
    this.#kept.set(key, { bmc, version: bmc.state.version, rendering })
    return rendering
  }
}

function render(resource: Resource, allow: string): Rendering {
  const plain = JSON.stringify(resource)
  const etag = `"${hash('sha1', plain, 'base64url')}"`
  const body = Buffer.from(`${plain.slice(0, -1)},"@odata.etag":${JSON.stringify(etag)}}`)
  const schema = resource['@odata.type'].slice(1, resource['@odata.type'].lastIndexOf('.'))
  const headers = {
    'Content-Type': JSON_TYPE,
    ETag: etag,
    Allow: allow,
    Link: `<http://redfish.dmtf.org/schemas/v1/${schema}.json>; rel=describedby`,
  }
  return { resource, body, etag, headers }
}
