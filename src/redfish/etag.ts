import { hash } from 'node:crypto'
import { isObject, type JsonObject } from './resource.ts'

/**
 * The strong ETag of a representation: a digest of it. What `@Redfish.Settings` says of the ETag is left out of that,
 * or it could never be true; the other members there change with it.
 */
export function etagOf(resource: JsonObject): string {
  const settings = resource['@Redfish.Settings']
  if (!isObject(settings)) return etagOfText(JSON.stringify(resource))
  const { ETag: _, ...rest } = settings
  const withRest = { ...resource, '@Redfish.Settings': rest }
  return etagOfText(JSON.stringify(withRest))
}

export function etagOfText(json: string | Buffer): string {
  return `"${hash('sha1', json, 'base64url')}"`
}
