export { inlineAddressTests } from './address-tests.ts';
export type { CloudTrailRelation } from './cloudtrail-table.ts';
export {
  cloudTrailColumns,
  localCloudTrailRelation,
  parseCloudTrailRelation,
} from './cloudtrail-table.ts';
export type { ColumnType } from './columns.ts';
export { eventColumns } from './columns.ts';
export type { IngestWindow } from './derived-tables.ts';
export { derivedTable, derivedTableNames, sessionColumnNames } from './derived-tables.ts';
export type { LakeEngine } from './dialect.ts';
export type { LakeEventData } from './lake-event-data.ts';
export { toLakeEventData } from './lake-event-data.ts';
export { intervalLiteral, textLiteral, timestampLiteral } from './literal.ts';
export { oneSelect, parameterLiterals, queryTokens, withParameters } from './one-select.ts';
export type { QueryErrorCode } from './query-error.ts';
export { QueryError } from './query-error.ts';
export { uniqueNames } from './result-names.ts';
export type { SearchStatement, TextSearch } from './search-statement.ts';
export { searchGapsStatement, searchStatement } from './search-statement.ts';
export type { SqlToken } from './sql-tokens.ts';
export { meaningfulTokens, sqlTokens } from './sql-tokens.ts';
