import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Machine } from '../../bmc/machine.ts'
import { typesInUse } from '../../bmc/types-in-use.ts'
import type { EndpointHandler } from '../../http/context.ts'
import type { Endpoint } from '../../http/mount.ts'
import { sendCoded } from '../../http/encoding.ts'
import { JSON_TYPE } from '../../http/errors.ts'
import { odataType } from '../../redfish/resource.ts'
import { open } from '../../redfish/resource-table.ts'
import type { ResourceTypeName } from '../../redfish/types.gen.ts'
import { uris } from '../../redfish/uris.ts'

const EDMX = 'http://docs.oasis-open.org/odata/ns/edmx'
const EDM = 'http://docs.oasis-open.org/odata/ns/edm'
const SCHEMAS = 'http://redfish.dmtf.org/schemas/v1'
// DSP0266, OData metadata: asked for beside the namespaces of the resource types.
const extensions = [
  `  <edmx:Reference Uri="${SCHEMAS}/RedfishExtensions_v1.xml">`,
  '    <edmx:Include Namespace="RedfishExtensions.v1_0_0" Alias="Redfish"/>',
  '  </edmx:Reference>',
]

/** The documents that OData and DSP0266 put beside the service root; `types` are those of our own rows. */
export function documentEndpoints(types: ReadonlySet<ResourceTypeName>): Endpoint[] {
  const metadataOf = new WeakMap<Machine, Buffer>()
  const metadata = (machine: Machine): Buffer => {
    const known = metadataOf.get(machine) ?? Buffer.from(renderMetadata(machine, types))
    metadataOf.set(machine, known)
    return known
  }
  const json = (document: unknown): EndpointHandler => {
    const body = Buffer.from(JSON.stringify(document))
    return (request, reply) => sendDocument(request, reply, JSON_TYPE, body)
  }
  const xml: EndpointHandler = (request, reply, { bmc }) =>
    sendDocument(request, reply, 'application/xml', metadata(bmc.machine))
  const versions = json({ v1: `${uris.root}/` })
  const service = json({ '@odata.context': uris.metadata, value: serviceDocument })
  return [
    { path: uris.versions, privileges: open, methods: { GET: versions, HEAD: versions } },
    { path: uris.odata, privileges: open, methods: { GET: service, HEAD: service } },
    { path: uris.metadata, privileges: open, methods: { GET: xml, HEAD: xml }, produces: 'application/xml' },
  ]
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

/** References to DMTF's schema of every type in use; the first schema holds the entity container (DSP0266). */
function renderMetadata(machine: Machine, types: ReadonlySet<ResourceTypeName>): string {
  const byNamespace = new Map<string, Set<string>>()
  for (const type of typesInUse(machine, types)) {
    const [namespace = '', version] = type.slice(1).split('.')
    const versions = byNamespace.get(namespace) ?? new Set<string>()
    byNamespace.set(namespace, version?.startsWith('v') ? versions.add(`${namespace}.${version}`) : versions)
  }
  const references = [...byNamespace]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([namespace, versions]) => {
      const includes = [namespace, ...[...versions].toSorted()].map(
        (name) => `    <edmx:Include Namespace="${name}"/>`,
      )
      return [
        `  <edmx:Reference Uri="${SCHEMAS}/${namespace}_v1.xml">`,
        ...includes,
        '  </edmx:Reference>',
      ].join('\n')
    })
  const root = odataType('ServiceRoot').slice(1, odataType('ServiceRoot').lastIndexOf('.'))
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<edmx:Edmx xmlns:edmx="${EDMX}" Version="4.0">`,
    ...references,
    ...extensions,
    '  <edmx:DataServices>',
    `    <Schema xmlns="${EDM}" Namespace="Service">`,
    `      <EntityContainer Name="Service" Extends="${root}.ServiceContainer"/>`,
    '    </Schema>',
    '  </edmx:DataServices>',
    '</edmx:Edmx>',
    '',
  ].join('\n')
}
