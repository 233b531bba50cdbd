import { edmxDocument, redfishExtensions, reference, schema } from '../edmx.ts'
import { csdlUri } from '../schema-locations.ts'
import { element, type Xml } from '../xml.ts'
import {
  namespaceOf,
  OEM,
  type OemAction,
  type OemProperty,
  type OemSchema,
  type OemType,
  type Shape,
} from './types.ts'

const VOCABULARIES = 'http://docs.oasis-open.org/odata/odata/v4.0/errata03/csd01/complete/vocabularies'
const vocabularies = { Core: 'OData', Capabilities: 'Capabilities', Validation: 'Validation' }

const bases: Readonly<Record<OemSchema['kind'], { readonly tag: string; readonly type: string }>> = {
  resource: { tag: 'EntityType', type: 'Resource.v1_0_0.Resource' },
  part: { tag: 'ComplexType', type: 'Resource.OemObject' },
}

/** The CSDL of our own types (DSP0266, OData metadata): an abstract type, and its present version. */
export function csdlOf(oem: OemSchema): string {
  const { name, kind, main, objects = {}, actions = {} } = oem
  const { tag, type } = bases[kind]
  const owner = annotation('Redfish.OwningEntity', { String: OEM })
  const versioned = namespaceOf(oem)
  const abstract = element(tag, { Name: name, BaseType: type, Abstract: 'true' }, [
    ...described(main),
    ...places(oem),
  ])
  const present = element(tag, { Name: name, BaseType: `${name}.${name}` }, members(main, versioned))
  const others = Object.entries(objects).map(([Name, object]) =>
    element('ComplexType', { Name }, members(object, versioned)),
  )
  return edmxDocument(references(oem), [
    // Actions are called by the namespace without the version, and looked for there.
    schema(name, [owner, abstract, ...Object.entries(actions).map(actionOf)]),
    schema(versioned, [owner, present, ...others]),
  ])
}

function references({ main, objects = {}, actions = {} }: OemSchema): Xml[] {
  const shapes = [main, ...Object.values(objects)]
    .flatMap(({ properties }) => Object.values(properties))
    .map(({ shape }) => shape)
  const linked = shapes.flatMap((shape) => (shape.kind === 'link' ? [shape.to.split('.')[0] ?? ''] : []))
  return [
    ...Object.entries(vocabularies).map(([name, alias]) =>
      reference(`${VOCABULARIES}/Org.OData.${name}.V1.xml`, { [`Org.OData.${name}.V1`]: alias }),
    ),
    redfishExtensions,
    ...Object.values(actions).map(({ of }) => reference(csdlUri(of), { [`${of}.v1_0_0`]: undefined })),
    reference(csdlUri('Resource'), { Resource: undefined, 'Resource.v1_0_0': undefined }),
    ...[...new Set(linked)]
      .filter((name) => name !== 'Resource')
      .map((name) => reference(csdlUri(name), { [name]: undefined })),
  ]
}

/** What clients may do, which is to read, and where. */
function places({ kind, uris = [] }: OemSchema): Xml[] {
  if (kind === 'part') return []
  const cannot = (term: string, property: string): Xml =>
    annotation(`Capabilities.${term}`, {}, [
      element('Record', {}, [element('PropertyValue', { Property: property, Bool: 'false' })]),
    ])
  const strings = uris.map((uri) => element('String', {}, uri))
  return [
    cannot('InsertRestrictions', 'Insertable'),
    cannot('UpdateRestrictions', 'Updatable'),
    cannot('DeleteRestrictions', 'Deletable'),
    annotation('Redfish.Uris', {}, [element('Collection', {}, strings)]),
  ]
}

function members(type: OemType, namespace: string): Xml[] {
  const properties = Object.entries(type.properties).map(([name, property]) =>
    member(name, property, namespace),
  )
  return [...described(type), ...properties]
}

function member(name: string, property: OemProperty, namespace: string): Xml {
  const { shape, description, isArray, isRequired } = property
  const type = typeOf(shape, namespace)
  const attributes = {
    Name: name,
    Type: isArray === true ? `Collection(${type})` : type,
    Nullable: 'false',
  }
  return element(shape.kind === 'link' ? 'NavigationProperty' : 'Property', attributes, [
    annotation('OData.Permissions', { EnumMember: 'OData.Permission/Read' }),
    annotation('OData.Description', { String: description }),
    ...patternOf(shape),
    ...(isRequired === true ? [annotation('Redfish.Required')] : []),
  ])
}

function actionOf([Name, { description, of, parameters }]: readonly [string, OemAction]): Xml {
  const given = Object.entries(parameters).map(([parameter, { shape, isArray, isRequired, ...facts }]) => {
    const type = typeOf(shape, '')
    const attributes = {
      Name: parameter,
      Type: isArray === true ? `Collection(${type})` : type,
      Nullable: isRequired === true ? 'false' : 'true',
    }
    return element('Parameter', attributes, [
      annotation('OData.Description', { String: facts.description }),
      ...patternOf(shape),
    ])
  })
  return element('Action', { Name, IsBound: 'true' }, [
    element('Parameter', { Name: of, Type: `${of}.v1_0_0.OemActions` }),
    ...given,
    annotation('OData.Description', { String: description }),
  ])
}

function patternOf(shape: Shape): Xml[] {
  if (shape.kind !== 'text' || shape.pattern === undefined) return []
  return [annotation('Validation.Pattern', { String: shape.pattern })]
}

function described({ description }: OemType): Xml[] {
  return [
    annotation('OData.AdditionalProperties', { Bool: 'false' }),
    annotation('OData.Description', { String: description }),
  ]
}

function typeOf(shape: Shape, namespace: string): string {
  switch (shape.kind) {
    case 'text':
      return 'Edm.String'
    case 'boolean':
      return 'Edm.Boolean'
    case 'count':
      return 'Edm.Int64'
    case 'open':
      return 'Resource.Oem'
    case 'time':
      return 'Edm.DateTimeOffset'
    case 'link':
      return shape.to
    case 'object':
      return `${namespace}.${shape.of}`
  }
}

function annotation(Term: string, value: Xml['attributes'] = {}, content: readonly Xml[] = []): Xml {
  return element('Annotation', { Term, ...value }, content)
}
