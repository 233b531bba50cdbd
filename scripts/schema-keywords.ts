/** JSON Schema keywords of the publications that state facts, in the order in which they are written. */
export const standardKeywords = [
  '$ref',
  'type',
  'enum',
  'anyOf',
  'items',
  'format',
  'pattern',
  'minimum',
  'maximum',
  'writeOnly',
  'deprecated',
  'required',
  'properties',
  'patternProperties',
  'additionalProperties',
] as const

/** Facts that say nothing about validity; Ajv must be told these names, or its strict mode refuses them. */
export const factKeywords = [
  'link',
  'foreign',
  'units',
  'readonly',
  'autoExpand',
  'uriSegment',
  'versionAdded',
  'versionDeprecated',
  'enumVersionAdded',
  'enumDeprecated',
  'requiredOnCreate',
  'requiredParameter',
  'insertable',
  'updatable',
  'deletable',
  'uris',
  'parameters',
  'actionResponse',
  'release',
] as const

/** Prose, and facts that nobody here needs. A keyword in none of the lists stops the generator. */
export const droppedKeywords: ReadonlySet<string> = new Set([
  'description',
  'longDescription',
  'enumDescriptions',
  'enumLongDescriptions',
  'enumVersionDeprecated',
  'excerpt',
  'excerptCopy',
  'excerptCopyOnly',
  'urisDeprecated',
])
