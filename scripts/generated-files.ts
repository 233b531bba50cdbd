import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import {
  byKey,
  isArray,
  isObject,
  newest,
  objectAt,
  openSources,
  parseObject,
  stringAt,
} from './dmtf-sources.ts'
import type { Json, JsonObject, Sources } from './dmtf-sources.ts'
import { privilegeFacts } from './privilege-facts.ts'
import { messageTypes, registryFacts } from './registry-facts.ts'
import { resourceFacts } from './resource-facts.ts'
import type { DefinitionName } from './schema-set.ts'
import { csdlOf } from '../src/redfish/oem/csdl.ts'
import { jsonSchemaOf } from '../src/redfish/oem/json-schema.ts'
import { namespaceOf, oemSchemas } from '../src/redfish/oem/types.ts'
import { csdlUri, jsonSchemaUri } from '../src/redfish/schema-locations.ts'

/** Path in the project → content. */
type Files = ReadonlyMap<string, string>

const SCHEMAS = 'schemas'
const LINE_WIDTH = 110
const REGISTRIES = [
  'Base',
  'Update',
  'TaskEvent',
  'ResourceEvent',
  'AccountSecurity',
  'LogService',
  'ManagerEvent',
  'HeartbeatEvent',
  'JobEvent',
  'ServiceCommunications',
]

/** Types that the services answer with, whatever the mock-ups hold. */
const SERVICE_TYPES = [
  'AccountService',
  'ManagerAccountCollection',
  'ManagerAccount',
  'RoleCollection',
  'Role',
  'PrivilegeRegistry',
  'ServiceRoot',
  'SessionService',
  'SessionCollection',
  'Session',
  'UpdateService',
  'SoftwareInventoryCollection',
  'SoftwareInventory',
  'TaskService',
  'TaskCollection',
  'Task',
  'JobService',
  'JobCollection',
  'Job',
  'KeyCollection',
  'Key',
  'UpdateServiceCapabilities',
  'ActionInfo',
  'MessageRegistryFileCollection',
  'MessageRegistryFile',
  'MessageRegistry',
  'JsonSchemaFileCollection',
  'JsonSchemaFile',
  'EventService',
  'EventDestinationCollection',
  'EventDestination',
  'Event',
  'LogServiceCollection',
  'LogService',
  'LogEntryCollection',
  'LogEntry',
  'AggregationService',
  'AggregationSourceCollection',
  'AggregationSource',
  'AggregateCollection',
  'Aggregate',
  'ConnectionMethodCollection',
  'ConnectionMethod',
  'TelemetryService',
  'MetricDefinitionCollection',
  'MetricDefinition',
  'MetricReportDefinitionCollection',
  'MetricReportDefinition',
  'MetricReportCollection',
  'MetricReport',
  'ManagerNetworkProtocol',
  'ComponentIntegrity',
  'TrustedComponent',
  'CertificateService',
  'CertificateLocations',
  'CertificateCollection',
  'Certificate',
  'Message',
  'Settings',
]

/** Definitions that no resource refers to: the answer to a mistake, and the JSON part of a multipart push. */
const OTHER_DEFINITIONS: readonly DefinitionName[] = [
  { type: 'redfish-error', name: 'RedfishError' },
  { type: 'UpdateService', name: 'UpdateParameters' },
]

/** All that the generator owns, from the publications in `dmtf` and the types used by the project's mock-ups. */
export function planFiles(root: string, dmtf: string): Files {
  const sources = openSources(dmtf)
  const types = [...new Set([...SERVICE_TYPES, ...mockupTypes(join(root, 'mockups'))])].toSorted()
  const resources = resourceFacts(sources, [
    ...types.map((type) => ({ type, name: type })),
    ...OTHER_DEFINITIONS,
  ])
  const odataTypes = new Map(types.map((type) => [type, odataType(resources, type)]))
  const registries = registryFacts(sources, REGISTRIES, `#${odataTypes.get('MessageRegistry')}`)
  const plan = new Map<string, string>()
  for (const [name, facts] of resources) plan.set(`${SCHEMAS}/resources/${name}.json`, layOut(facts, 4))
  for (const [name, facts] of registries) plan.set(`${SCHEMAS}/registries/${name}.json`, layOut(facts, 2))
  for (const oem of oemSchemas) {
    const namespace = namespaceOf(oem)
    const schema = parseObject(JSON.stringify(jsonSchemaOf(oem)), namespace)
    plan.set(oemFile(jsonSchemaUri(namespace)), layOut(schema, 4))
    plan.set(oemFile(csdlUri(namespace)), csdlOf(oem))
  }
  plan.set(`${SCHEMAS}/privileges.json`, layOut(privilegeFacts(sources), 2))
  plan.set('src/redfish/messages/registries.gen.ts', messageTypes(registries))
  plan.set(
    'src/redfish/types.gen.ts',
    typeNames(new Map([...odataTypes, ...oemTypes]), excerpts(sources, odataTypes)),
  )
  plan.set(`${SCHEMAS}/LICENSE-DMTF.md`, sources.text('LICENSE.md'))
  plan.set(`${SCHEMAS}/README.md`, readme(sources))
  plan.set(`${SCHEMAS}/sources.json`, layOut(sources.digests(), 1))
  return plan
}

const oemTypes = oemSchemas.map((oem) => [oem.name, `${namespaceOf(oem)}.${oem.name}`] as const)

/** Our own schemas are called as they are served. */
function oemFile(uri: string): string {
  return `${SCHEMAS}/oem/${uri.slice(uri.lastIndexOf('/') + 1)}`
}

/** Paths whose content on disk is not the planned one, files that no plan accounts for included. */
export function findStale(root: string, plan: Files): readonly string[] {
  const wrong = [...plan].filter(([path, content]) => {
    const file = join(root, path)
    return !existsSync(file) || readFileSync(file, 'utf8') !== content
  })
  return [...wrong.map(([path]) => path), ...unplanned(root, plan)].toSorted()
}

export function writeFiles(root: string, plan: Files): void {
  for (const path of unplanned(root, plan)) rmSync(join(root, path))
  for (const [path, content] of plan) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), content)
  }
}

function unplanned(root: string, plan: Files): readonly string[] {
  return filesBelow(join(root, SCHEMAS))
    .map((path) => `${SCHEMAS}/${path}`)
    .filter((path) => !plan.has(path))
}

function filesBelow(folder: string): readonly string[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) =>
      join(entry.parentPath, entry.name)
        .slice(folder.length + 1)
        .replaceAll('\\', '/'),
    )
    .toSorted()
}

function mockupTypes(folder: string): readonly string[] {
  const bodies = filesBelow(folder).filter((path) => /(^|\/)index\.json$/.test(path))
  return bodies.flatMap((path) => typesIn(parseObject(readFileSync(join(folder, path), 'utf8'), path)))
}

/** OEM objects have types of their own, which no DMTF schema describes. */
function typesIn(value: Json): readonly string[] {
  if (isArray(value)) return value.flatMap(typesIn)
  if (!isObject(value)) return []
  const own = value['@odata.type']
  const nested = Object.entries(value)
    .filter(([name]) => name !== 'Oem')
    .flatMap(([, member]) => typesIn(member))
  return typeof own === 'string' ? [own.replace(/^#/, '').replace(/\..*$/, ''), ...nested] : nested
}

function odataType(resources: ReadonlyMap<string, JsonObject>, type: string): string {
  const file = [...resources.keys()].find((name) => name === type || name.startsWith(`${type}.`))
  if (file === undefined) throw new Error(`${type} was not generated`)
  return `${file}.${type}`
}

/** What a query for an excerpt leaves of a resource: the properties that its published schema marks so. */
function excerpts(
  sources: Sources,
  odataTypes: ReadonlyMap<string, string>,
): readonly (readonly [type: string, properties: readonly string[]])[] {
  return [...odataTypes].toSorted(byKey).flatMap(([type, odata]) => {
    const schema = sources.json(`json-schema/${odata.slice(0, odata.lastIndexOf('.'))}.json`)
    const definition = objectAt(objectAt(schema, 'definitions'), type)
    const properties = isObject(definition['properties']) ? Object.entries(definition['properties']) : []
    const marked = properties.flatMap(([name, property]) =>
      // A property of copies only never stands in the resource itself.
      isObject(property) && 'excerpt' in property && property['excerptCopyOnly'] !== true ? [name] : [],
    )
    return marked.length === 0 ? [] : [[type, marked] as const]
  })
}

function typeNames(
  odataTypes: ReadonlyMap<string, string>,
  excerptsByType: ReturnType<typeof excerpts>,
): string {
  const marked = excerptsByType.map(
    ([type, names]) => `  ${type}: [\n${names.map((name) => `    '${name}',\n`).join('')}  ],\n`,
  )
  const lines = [...odataTypes].toSorted(byKey).map(([type, name]) => `  ${type}: '${name}',\n`)
  return `// Generated by scripts/generate.ts from the DMTF schemas and our own: do not edit.

/** The value of \`@odata.type\`, without its leading \`#\`, of every resource type that has a schema here. */
export const resourceTypes = {
${lines.join('')}} as const

export type ResourceTypeName = keyof typeof resourceTypes

/** The properties of an excerpt, for every type whose schema has one. */
export const excerptProperties = {
${marked.join('')}} as const satisfies { readonly [N in ResourceTypeName]?: readonly string[] }
`
}

/** JSON with one line per thing that changes on its own: compact below the depth, or where it fits a line. */
function layOut(value: Json, depth: number): string {
  return `${layOutWithin(value, depth, '')}\n`
}

function layOutWithin(value: Json, depth: number, indent: string): string {
  const compact = JSON.stringify(value)
  const fits = compact.length + indent.length <= LINE_WIDTH && indent !== ''
  if (depth === 0 || fits || typeof value !== 'object' || value === null) return compact
  const inner = `${indent} `
  const [open, close] = isArray(value) ? ['[', ']'] : ['{', '}']
  const members = isArray(value)
    ? value.map((item) => layOutWithin(item, depth - 1, inner))
    : Object.entries(value).map(
        ([name, member]) => `${JSON.stringify(name)}: ${layOutWithin(member, depth - 1, inner)}`,
      )
  return `${open}\n${members.map((member) => `${inner}${member}`).join(',\n')}\n${indent}${close}`
}

function readme(sources: Sources): string {
  const base = newest(sources.names('registries'), 'Base')
  const release = stringAt(sources.json(`registries/${base}.json`), 'Release')
  return `# schemas

Facts taken from the DMTF's Redfish publications, release ${release}, by \`scripts/generate.ts\`. Do not edit.

- \`resources/\`: JSON Schemas of the newest version of each resource type that redflash serves, and of what they
  refer to. No prose. \`link\` names the type a link leads to, \`foreign\` a type that is published elsewhere
  and therefore stays unchecked.
- \`oem/\`: CSDL and JSON Schema of our own types, from their definition in \`src/redfish/oem/types.ts\`.
- \`registries/\`: the message registries as they are served. \`Description\` repeats the template.
- \`privileges.json\`: the privilege registry as a table.
- \`sources.json\`: the SHA-256 of every publication that was read.

Regenerate with \`npm run generate\`; \`DMTF_DIR\` names the folder of the publications (by default
\`../shared/dmtf\`). The publications are under the BSD 3-Clause licence in \`LICENSE-DMTF.md\`.
`
}
