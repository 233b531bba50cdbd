import { oemSchemas } from './oem/types.ts'
import { uris } from './uris.ts'

/** Where DMTF publishes its schemas, and where all other schemas find them. */
export const DMTF_SCHEMAS = 'http://redfish.dmtf.org/schemas/v1'

const own: ReadonlySet<string> = new Set(oemSchemas.map(({ name }) => name))

/** Whether a namespace, with its version or without, is one that we serve the schema of. */
export function isOwnSchema(namespace: string): boolean {
  return own.has(namespace.split('.', 1)[0] ?? '')
}

/** Where the JSON schema of a namespace is: DMTF's publication, or our own file. */
export function jsonSchemaUri(namespace: string): string {
  return fileUri(namespace, `${namespace}.json`)
}

/** Where the CSDL of a namespace is, which one file holds for all versions. */
export function csdlUri(namespace: string): string {
  return fileUri(namespace, `${namespace.split('.', 1)[0]}_v1.xml`)
}

function fileUri(namespace: string, file: string): string {
  return isOwnSchema(namespace) ? uris.oemSchema(file) : `${DMTF_SCHEMAS}/${file}`
}
