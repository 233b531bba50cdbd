import type { FastifyReply } from 'fastify'
import type { Machine } from '../../bmc/machine.ts'
import type { Endpoint } from '../../http/mount.ts'
import { JSON_TYPE } from '../../http/errors.ts'
import { odataType } from '../../redfish/resource.ts'
import { open } from '../../redfish/resource-table.ts'
import type { ResourceTypeName } from '../../redfish/types.gen.ts'
import { uris } from '../../redfish/uris.ts'

const EDMX = 'http://docs.oasis-open.org/odata/ns/edmx'
const EDM = 'http://docs.oasis-open.org/odata/ns/edm'
const SCHEMAS = 'http://redfish.dmtf.org/schemas/v1'

/** The documents that OData and DSP0266 put beside the service root; `types` are those of our own rows. */
export function documentEndpoints(types: ReadonlySet<ResourceTypeName>): Endpoint[] {
  const metadataOf = new WeakMap<Machine, string>()
  const metadata = (machine: Machine): string => {
    const known = metadataOf.get(machine) ?? renderMetadata(machine, types)
    metadataOf.set(machine, known)
    return known
  }
  const json = (body: unknown) => (_request: unknown, reply: FastifyReply) =>
    sendDocument(reply, JSON_TYPE, JSON.stringify(body))
  const versions = json({ v1: `${uris.root}/` })
  const service = json({ '@odata.context': uris.metadata, value: serviceDocument })
  return [
    { path: uris.versions, privileges: open, methods: { GET: versions, HEAD: versions } },
    { path: uris.odata, privileges: open, methods: { GET: service, HEAD: service } },
    // A router matches undecoded paths: the encoded spelling is a path of its own.
    ...[uris.metadata, uris.metadata.replace('$', '%24')].map((path): Endpoint => {
      const get = (
        _request: unknown,
        reply: FastifyReply,
        { bmc }: { readonly bmc: { readonly machine: Machine } },
      ) => sendDocument(reply, 'application/xml', metadata(bmc.machine))
      return { path, privileges: open, methods: { GET: get, HEAD: get }, produces: 'application/xml' }
    }),
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
  ['Registries', uris.registries],
].map(([name, url]) => ({ name, kind: 'Singleton', url }))

function sendDocument(reply: FastifyReply, type: string, body: string): FastifyReply {
  return reply.header('Allow', 'GET, HEAD').type(type).send(body)
}

/** References to DMTF's schema of every type in use; the first schema holds the entity container (DSP0266). */
function renderMetadata(machine: Machine, types: ReadonlySet<ResourceTypeName>): string {
  const odataTypes = new Set([
    ...[...types].map(odataType),
    ...[...machine.resources.values()].map((resource) => resource['@odata.type']),
  ])
  const byNamespace = new Map<string, Set<string>>()
  for (const type of odataTypes) {
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
    '  <edmx:DataServices>',
    `    <Schema xmlns="${EDM}" Namespace="Service">`,
    `      <EntityContainer Name="Service" Extends="${root}.ServiceContainer"/>`,
    '    </Schema>',
    '  </edmx:DataServices>',
    '</edmx:Edmx>',
    '',
  ].join('\n')
}
