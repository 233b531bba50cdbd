import type { Machine } from '../../bmc/machine.ts'
import { typesInUse } from '../../bmc/types-in-use.ts'
import type { EndpointHandler } from '../../http/context.ts'
import type { Endpoint } from '../../http/mount.ts'
import { sendCoded } from '../../http/encoding.ts'
import { JSON_TYPE } from '../../http/errors.ts'
import { edmxDocument, redfishExtensions, reference, schema } from '../../redfish/edmx.ts'
import { csdlOf } from '../../redfish/oem/csdl.ts'
import { jsonSchemaOf } from '../../redfish/oem/json-schema.ts'
import { namespaceOf, type OemSchema, oemSchemas } from '../../redfish/oem/types.ts'
import { odataType } from '../../redfish/resource.ts'
import { open } from '../../redfish/resource-table.ts'
import { csdlUri, jsonSchemaUri } from '../../redfish/schema-locations.ts'
import type { ResourceTypeName } from '../../redfish/types.gen.ts'
import { uris } from '../../redfish/uris.ts'
import { element } from '../../redfish/xml.ts'
import { ofEach } from '../../lib/of-each.ts'

const XML_TYPE = 'application/xml'

/** The documents that OData and DSP0266 put beside the service root, our schemas among them; `types` are those of our rows. */
export function documentEndpoints(types: ReadonlySet<ResourceTypeName>): Endpoint[] {
  const metadata = ofEach((machine: Machine) => Buffer.from(renderMetadata(machine, types)))
  return [
    document(uris.versions, JSON_TYPE, () => versions),
    document(uris.odata, JSON_TYPE, () => service),
    document(uris.metadata, XML_TYPE, metadata),
    ...oemSchemas.flatMap((oem) => [
      document(jsonSchemaUri(namespaceOf(oem)), JSON_TYPE, () => jsonSchema(oem)),
      document(csdlUri(oem.name), XML_TYPE, () => csdl(oem)),
    ]),
  ]
}

function document(
  path: string,
  type: typeof JSON_TYPE | typeof XML_TYPE,
  bytesOf: (machine: Machine) => Buffer,
): Endpoint {
  const headers = { 'Content-Type': type, Allow: 'GET, HEAD', Vary: 'Accept-Encoding' }
  const read: EndpointHandler = (request, reply, { bmc }) =>
    sendCoded(request, reply, { body: bytesOf(bmc.machine), headers })
  return {
    path,
    privileges: open,
    methods: { GET: read, HEAD: read },
    ...(type === XML_TYPE && { produces: XML_TYPE }),
  }
}

/** Each is made when somebody asks for it first: not every start is paid for what hardly anybody reads. */
const csdl = ofEach((oem: OemSchema) => Buffer.from(csdlOf(oem)))
const jsonSchema = ofEach((oem: OemSchema) => jsonBytes(jsonSchemaOf(oem)))

function jsonBytes(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value))
}

const versions = jsonBytes({ v1: `${uris.root}/` })

const services = [
  ['Service', `${uris.root}/`],
  ['Systems', uris.systems],
  ['Chassis', uris.chassis],
  ['Managers', uris.managers],
  ['SessionService', uris.sessionService],
  ['UpdateService', uris.updateService],
  ['Tasks', uris.taskService],
  ['EventService', uris.eventService],
  ['CertificateService', uris.certificateService],
  ['Registries', uris.registries],
  ['JsonSchemas', uris.jsonSchemas],
].map(([name, url]) => ({ name, kind: 'Singleton', url }))

const service = jsonBytes({ '@odata.context': uris.metadata, value: services })

/** References to the schema of every type in use; the first schema holds the entity container (DSP0266). */
function renderMetadata(machine: Machine, types: ReadonlySet<ResourceTypeName>): string {
  const byFile = new Map<string, Record<string, undefined>>()
  for (const type of [...typesInUse(machine, types)].toSorted()) {
    const namespace = type.slice(1, type.lastIndexOf('.'))
    const [unversioned = ''] = namespace.split('.', 1)
    const file = csdlUri(namespace)
    byFile.set(file, { ...byFile.get(file), [unversioned]: undefined, [namespace]: undefined })
  }
  const references = [...byFile].map(([file, namespaces]) => reference(file, namespaces))
  const root = odataType('ServiceRoot').slice(1, odataType('ServiceRoot').lastIndexOf('.'))
  const container = element('EntityContainer', { Name: 'Service', Extends: `${root}.ServiceContainer` })
  // DSP0266, OData metadata: the extensions are asked for beside the namespaces of the resource types.
  return edmxDocument([...references, redfishExtensions], [schema('Service', [container])])
}
