//! RocksDB's settings: safety, and memory that lets several nodes share a machine.

use rocksdb::{BlockBasedOptions, Cache, DBCompressionType, DBRecoveryMode, Env, LogLevel, Options};

use crate::engine::Family;

const KB: usize = 1024;
const MB: usize = 1024 * KB;

/// Blocks, indexes and filters of all families together.
const CACHE_BYTES: usize = 64 * MB;
/// Memtables of all families together; above it the largest is flushed.
const MEMTABLES_BYTES: usize = 64 * MB;
/// Above it RocksDB flushes the family that holds the oldest log: the tiny families write too
/// little to flush by themselves.
const WAL_BYTES: u64 = 256 * MB as u64;
const OPEN_FILES: i32 = 512;

pub(super) fn database() -> Options {
    let mut options = Options::default();
    options.create_if_missing(true);
    options.create_missing_column_families(true);

    // A power loss leaves a torn end of the log: cut it. Damage anywhere else means that fsynced
    // writes would be lost: refuse to open. Recycled log files would make the two
    // indistinguishable.
    options.set_wal_recovery_mode(DBRecoveryMode::TolerateCorruptedTailRecords);
    options.set_recycle_log_file_num(0);
    options.set_track_and_verify_wals_in_manifest(true);
    options.set_paranoid_checks(true);
    options.set_unordered_write(false);
    options.set_max_total_wal_size(WAL_BYTES);
    // Waiting writers sleep: spinning took a tenth of a busy machine's time.
    options.set_enable_write_thread_adaptive_yield(false);

    options.set_db_write_buffer_size(MEMTABLES_BYTES);
    options.set_max_open_files(OPEN_FILES);
    options.set_max_background_jobs(2);
    // Compactions run at idle priority; flushes keep theirs, because writers wait for them.
    if let Ok(mut env) = Env::new() {
        env.lower_thread_pool_cpu_priority();
        options.set_env(&env);
    }
    // Large files are written out as they grow, so that an fsync of the log does not wait behind
    // them.
    options.set_bytes_per_sync(MB as u64);

    options.set_log_level(LogLevel::Warn);
    options.set_max_log_file_size(4 * MB);
    options.set_keep_log_file_num(4);
    options.set_stats_dump_period_sec(0);
    options.set_stats_persist_period_sec(0);
    options
}

/// The cache that all families of one database share.
pub(super) fn cache() -> Cache {
    Cache::new_lru_cache(CACHE_BYTES)
}

pub(super) fn family(family: Family, cache: &Cache) -> Options {
    let mut blocks = BlockBasedOptions::default();
    blocks.set_block_cache(cache);
    blocks.set_block_size(16 * KB);
    blocks.set_cache_index_and_filter_blocks(true);
    blocks.set_pin_l0_filter_and_index_blocks_in_cache(true);

    let mut options = Options::default();
    let memtable = match family {
        Family::RaftMeta => MB,
        // Node has the search index.
        Family::Node | Family::Users => 8 * MB,
        Family::RaftLog | Family::Conversations | Family::Events => 16 * MB,
    };
    options.set_write_buffer_size(memtable);
    options.set_max_write_buffer_number(3);
    match family {
        // Entries are read soon, from memory, and then deleted in ranges, so compression does not
        // pay.
        Family::RaftLog | Family::RaftMeta => options.set_compression_type(DBCompressionType::None),
        Family::Users | Family::Conversations => {
            // Reads are mostly points, most often absent dedup rows.
            blocks.set_ribbon_filter(10.0);
            options.set_memtable_whole_key_filtering(true);
            options.set_memtable_prefix_bloom_ratio(0.05);
            options.set_compression_type(DBCompressionType::Lz4);
        }
        // Reads are runs, or exact terms of the search index.
        Family::Events | Family::Node => options.set_compression_type(DBCompressionType::Lz4),
    }
    options.set_block_based_table_factory(&blocks);
    options
}
