import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Machine } from '../../bmc/machine.ts'
import { typesInUse } from '../../bmc/types-in-use.ts'
import type { EndpointHandler } from '../../http/context.ts'
import type { Endpoint } from '../../http/mount.ts'
import { sendCoded } from '../../http/encoding.ts'
import { JSON_TYPE } from '../../http/errors.ts'
import { edmxDocument, redfishExtensions, reference, schema } from '../../redfish/edmx.ts'
import { csdlOf } from '../../redfish/oem/csdl.ts'
import { jsonSchemaOf } from '../../redfish/oem/json-schema.ts'
import { namespaceOf, oemSchemas } from '../../redfish/oem/types.ts'
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
  const json = (document: unknown): EndpointHandler => {
    const body = Buffer.from(JSON.stringify(document))
    return (request, reply) => sendDocument(request, reply, JSON_TYPE, body)
  }
  const xml =
    (textOf: (machine: Machine) => Buffer): EndpointHandler =>
    (request, reply, { bmc }) =>
      sendDocument(request, reply, XML_TYPE, textOf(bmc.machine))
  return [
    endpoint(uris.versions, json({ v1: `${uris.root}/` })),
    endpoint(uris.odata, json({ '@odata.context': uris.metadata, value: serviceDocument })),
    { ...endpoint(uris.metadata, xml(metadata)), produces: XML_TYPE },
    ...oemSchemas.flatMap((oem): Endpoint[] => {
      const csdl = Buffer.from(csdlOf(oem))
      return [
        endpoint(jsonSchemaUri(namespaceOf(oem)), json(jsonSchemaOf(oem))),
        {
          ...endpoint(
            csdlUri(oem.name),
            xml(() => csdl),
          ),
          produces: XML_TYPE,
        },
      ]
    }),
  ]
}

function endpoint(path: string, read: EndpointHandler): Endpoint {
  return { path, privileges: open, methods: { GET: read, HEAD: read } }
}

const serviceDocument = [
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

function sendDocument(request: FastifyRequest, reply: FastifyReply, type: string, body: Buffer): unknown {
  const headers = { 'Content-Type': type, Allow: 'GET, HEAD', Vary: 'Accept-Encoding' }
  return sendCoded(request, reply, { body, headers })
}

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
