export { MilvusLite, type MilvusLiteOptions } from './milvus-lite.js';
