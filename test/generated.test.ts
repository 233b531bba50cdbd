import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { newest } from '../scripts/dmtf-sources.ts'
import { findStale, writeFiles } from '../scripts/generated-files.ts'
import { factKeywords, standardKeywords } from '../scripts/schema-keywords.ts'
import { resourceTypes } from '../src/redfish/types.gen.ts'
import { registryVersions } from '../src/redfish/messages/registries.gen.ts'
import { loadSchemas, validateBody, validateError } from './support/schemas.ts'

const root = resolve(import.meta.dirname, '..')
const sources = resolve(root, process.env['DMTF_DIR'] ?? '../shared/dmtf')
const { ajv, schemas } = loadSchemas()
const scratch = mkdtempSync(join(tmpdir(), 'redflash-generated-'))
afterAll(() => {
  rmSync(scratch, { recursive: true })
})

const component = {
  '@odata.id': '/redfish/v1/UpdateService/FirmwareInventory/NIC-1',
  '@odata.type': `#${resourceTypes.SoftwareInventory}`,
  Id: 'NIC-1',
  Name: 'Network adapter firmware',
  Version: '22.41.1',
  VersionScheme: 'DotIntegerNotation',
  Updateable: true,
  ReleaseDate: '2025-03-01T00:00:00Z',
  Status: { State: 'Enabled', Health: 'OK' },
  RelatedItem: [{ '@odata.id': '/redfish/v1/Chassis/1/NetworkAdapters/NIC-1' }],
  'RelatedItem@odata.count': 1,
  Links: { StagedTargets: [], 'StagedTargets@odata.count': 0 },
  Oem: { Contoso: { '@odata.type': '#Contoso.v1_0_0.Anything', Colour: 'blue' } },
}

const unknownAction = {
  '@odata.type': `#${resourceTypes.Message}`,
  MessageId: 'Base.1.22.ActionNotSupported',
  Message: 'The action Dance is not supported by the resource.',
  MessageArgs: ['Dance'],
  MessageSeverity: 'Critical',
  Resolution: 'None.',
}

describe('the generated schemas', () => {
  test.each([...schemas.keys()])('%s compiles, with each of its definitions', (name) => {
    expect(ajv.getSchema(name)).toBeTypeOf('function')
    for (const definition of Object.keys(schemas.get(name)?.definitions ?? {})) {
      expect(ajv.getSchema(`${name}#/definitions/${definition}`), definition).toBeTypeOf('function')
    }
  })

  test.each([...schemas])('%s holds facts and no prose', (_name, schema) => {
    const allowed = new Set<string>(['$id', 'title', 'definitions', ...standardKeywords, ...factKeywords])
    expect([...keywordsIn(schema)].filter((keyword) => !allowed.has(keyword))).toEqual([])
  })

  test.each(Object.values(resourceTypes))('%s is the type of a schema', (type) => {
    const [, file, name = ''] = /^(.+)\.(\w+)$/.exec(type) ?? []
    expect(schemas.get(`${file}.json`)?.definitions).toHaveProperty([name])
  })

  test('accept a correct software inventory item', () => {
    expect(validateBody(component)).toEqual([])
  })

  test.each([
    ['an unknown property', { ...component, Versoin: '1' }, /additional properties .*Versoin/],
    [
      'an unknown property in a shared object',
      { ...component, Status: { Helth: 'OK' } },
      /^\/Status .*Helth/,
    ],
    ['an unlisted value', { ...component, VersionScheme: 'Roman' }, /^\/VersionScheme .*allowed values/],
    ['a value of the wrong type', { ...component, Updateable: 'yes' }, /^\/Updateable must be boolean,null/],
    ['null where it is not allowed', { ...component, SoftwareId: null }, /^\/SoftwareId must be string/],
    [
      'a time without a zone',
      { ...component, ReleaseDate: '2025-03-01T00:00:00' },
      /^\/ReleaseDate .*date-time/,
    ],
    ['a link without a target', { ...component, RelatedItem: [{}] }, /^\/RelatedItem\/0 .*required/],
    ['an annotation of the wrong type', { ...component, 'Id@Redfish.AllowableValues': 1 }, /must be array/],
    ['a missing property', { ...component, Name: undefined }, /Name/],
    [
      'another version',
      { ...component, '@odata.type': '#SoftwareInventory.v1_0_0.SoftwareInventory' },
      /v1_0_0/,
    ],
    ['an unknown type', { ...component, '@odata.type': '#Teapot.v1_0_0.Teapot' }, /Teapot/],
    ['no type', { Id: 'NIC-1' }, /no @odata.type/],
    [
      'an unknown type inside',
      { ...component, Status: { '@odata.type': '#Resource.v0_0_0.Status' } },
      /^\/Status\//,
    ],
  ])('refuse %s', (_what, body, problem) => {
    const problems = validateBody(JSON.parse(JSON.stringify(body)))
    expect(problems).toHaveLength(1)
    expect(problems[0]).toMatch(problem)
  })

  test('say which type a link leads to', () => {
    const definitions = schemas.get('SoftwareInventoryCollection.json')?.definitions
    expect(definitions).toHaveProperty(
      ['SoftwareInventoryCollection', 'properties', 'Members', 'items', 'link'],
      'SoftwareInventory',
    )
  })

  test('know the JSON part of a multipart push', () => {
    const validate = ajv.getSchema('UpdateService.v1_17_0.json#/definitions/UpdateParameters')
    expect(validate?.({ Targets: [], ForceUpdate: true, '@Redfish.OperationApplyTime': 'OnReset' })).toBe(
      true,
    )
    expect(validate?.({ Targets: [], '@Redfish.OperationApplyTime': 'Soon' })).toBe(false)
    expect(validate?.({ Target: [] })).toBe(false)
  })

  test('accept and refuse error bodies', () => {
    const error = {
      code: 'Base.1.22.GeneralError',
      message: 'See below.',
      '@Message.ExtendedInfo': [unknownAction],
    }
    expect(validateError({ error })).toEqual([])
    expect(validateError({ error: { ...error, code: undefined } })).toEqual([expect.stringContaining('code')])
    expect(validateError({ error, Id: '1' })).toEqual([expect.stringContaining('Id')])
    expect(
      validateError({ error: { ...error, '@Message.ExtendedInfo': [{ Message: 'no id' }] } }),
    ).toHaveLength(1)
  })
})

describe('the generated registries', () => {
  const folder = join(root, 'schemas/registries')

  test.each(readdirSync(folder))('%s can be served as it is', (name) => {
    const registry: unknown = JSON.parse(readFileSync(join(folder, name), 'utf8'))
    expect(validateBody(registry)).toEqual([])
    expect(registry).toMatchObject({ Id: name.replace(/\.json$/, '') })
  })

  test('are those that messages are typed by', () => {
    const ids = Object.entries(registryVersions).map(([prefix, version]) => `${prefix}.${version}.json`)
    expect(readdirSync(folder).toSorted()).toEqual(ids.toSorted())
  })
})

describe('regeneration', () => {
  test('takes the newest version, by number and of that name alone', () => {
    const names = ['Base.1.9.0.json', 'Base.1.22.1.json', 'Base.1.22.0.json', 'BaseX.2.0.0.json', 'Base.json']
    expect(newest(names, 'Base')).toBe('Base.1.22.1')
    expect(newest(['Task.v1_9_0.json', 'Task.v1_10_0.json', 'TaskService.v1_11_0.json'], 'Task')).toBe(
      'Task.v1_10_0',
    )
    expect(newest(['PhysicalContext.json'], 'PhysicalContext')).toBeUndefined()
  })

  test.skipIf(!existsSync(sources))('leaves no diff', () => {
    expect(generate({})).toEqual({ status: 0, output: '' })
  })

  test('is not checked where the publications are absent', () => {
    const { status, output } = generate({ DMTF_DIR: join(scratch, 'nowhere') })
    expect(status).toBe(0)
    expect(output).toContain('nothing was checked')
  })

  test('names changed, missing and superfluous files, and mends them', () => {
    const plan = new Map([
      ['schemas/a.json', '{}\n'],
      ['schemas/b.json', '{}\n'],
      ['src/c.gen.ts', 'export {}\n'],
    ])
    expect(findStale(scratch, plan)).toEqual([...plan.keys()])
    writeFiles(scratch, plan)
    expect(findStale(scratch, plan)).toEqual([])
    writeFileSync(join(scratch, 'schemas/b.json'), '[]\n')
    writeFileSync(join(scratch, 'schemas/old.json'), '{}\n')
    expect(findStale(scratch, plan)).toEqual(['schemas/b.json', 'schemas/old.json'])
    writeFiles(scratch, plan)
    expect(readdirSync(join(scratch, 'schemas'))).toEqual(['a.json', 'b.json'])
  })
})

function generate(environment: Record<string, string>): {
  readonly status: number | null
  readonly output: string
} {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['scripts/generate.ts', '--check'], {
    cwd: root,
    env: { ...process.env, ...environment },
    encoding: 'utf8',
  })
  return { status, output: stdout + stderr }
}

/** Names of properties and enumeration values are no keywords, whatever they are called. */
function keywordsIn(schema: unknown): Set<string> {
  const named = ['definitions', 'properties', 'patternProperties', 'parameters']
  if (Array.isArray(schema)) return new Set(schema.flatMap((item) => [...keywordsIn(item)]))
  if (typeof schema !== 'object' || schema === null) return new Set()
  const inner = Object.entries(schema).flatMap(([keyword, value]: [string, unknown]) => {
    if (keyword.startsWith('enum')) return []
    const values: unknown[] = named.includes(keyword) ? Object.values(value ?? {}) : [value]
    return values.flatMap((item) => [...keywordsIn(item)])
  })
  return new Set([...Object.keys(schema), ...inner])
}
