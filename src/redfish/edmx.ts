import { DMTF_SCHEMAS } from './schema-locations.ts'
import { element, type Xml, xmlDocument } from './xml.ts'

const EDMX = 'http://docs.oasis-open.org/odata/ns/edmx'
const EDM = 'http://docs.oasis-open.org/odata/ns/edm'

/** The annotations that Redfish adds to those of OData. */
export const redfishExtensions = reference(`${DMTF_SCHEMAS}/RedfishExtensions_v1.xml`, {
  'RedfishExtensions.v1_0_0': 'Redfish',
})

/** A document of OData's metadata: what it refers to, and the schemas that it holds. */
export function edmxDocument(references: readonly Xml[], schemas: readonly Xml[]): string {
  return xmlDocument(
    element('edmx:Edmx', { 'xmlns:edmx': EDMX, Version: '4.0' }, [
      ...references,
      element('edmx:DataServices', {}, schemas),
    ]),
  )
}

/** The namespaces of another document, with their aliases here. */
export function reference(Uri: string, namespaces: Readonly<Record<string, string | undefined>>): Xml {
  const includes = Object.entries(namespaces).map(([Namespace, alias]) =>
    element('edmx:Include', { Namespace, ...(alias !== undefined && { Alias: alias }) }),
  )
  return element('edmx:Reference', { Uri }, includes)
}

export function schema(Namespace: string, content: readonly Xml[]): Xml {
  return element('Schema', { xmlns: EDM, Namespace }, content)
}
