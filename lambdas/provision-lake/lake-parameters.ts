import { deleteParameter, putParameter } from '#adapters/aws';
