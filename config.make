# the scripts as a header, which is compared by its content: one that came with
# a copied build may be newer than scripts that it was not made from

cat << END >> $NGX_MAKEFILE

$NGX_OBJS/ngx_http_conflict_lua.h: conflict_compared
	$ngx_addon_dir/src/store/redis/lua/embed \\
		$ngx_addon_dir/src/store/redis/lua/entry.lua \\
		$ngx_addon_dir/src/store/redis/lua/begin.lua \\
		$ngx_addon_dir/src/store/redis/lua/begin_fast.lua \\
		$ngx_addon_dir/src/store/redis/lua/settle.lua \\
		$ngx_addon_dir/src/store/redis/lua/settle_fast.lua \\
		$ngx_addon_dir/src/store/redis/lua/read.lua \\
		$ngx_addon_dir/src/store/redis/lua/read_fast.lua \\
		$ngx_addon_dir/src/store/redis/lua/history.lua \\
		$ngx_addon_dir/src/store/redis/lua/items.lua \\
		$ngx_addon_dir/src/store/redis/lua/lock.lua \\
		$ngx_addon_dir/src/store/redis/lua/stats.lua \\
		$ngx_addon_dir/src/store/redis/lua/blob.lua > \$@.new
	cmp -s \$@.new \$@ && rm \$@.new || mv \$@.new \$@

END

# the page of the dashboard as a header

cat << END >> $NGX_MAKEFILE

$NGX_OBJS/ngx_http_conflict_page.h: conflict_compared
	$ngx_addon_dir/src/page/embed > \$@.new
	cmp -s \$@.new \$@ && rm \$@.new || mv \$@.new \$@

conflict_compared:

END
